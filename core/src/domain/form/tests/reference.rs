//! A second evaluator for the random test, written in another way: a recursive parser, numbers as wide
//! integers, and relevance by naive recursion.

use std::collections::BTreeMap;

use serde_json::Value as Json;

const ONE: i128 = 1_000_000;

/// A value: a text, a number in millionths, a truth, or a day.
#[derive(Debug, Clone, PartialEq)]
enum Val {
    S(String),
    N(Option<i128>),
    B(bool),
    D(i128),
}

/// The form as the naive reader sees it.
pub(super) struct Naive<'a> {
    /// Each item of the tree with the ids of the sections and repeats around it, outermost first.
    items: BTreeMap<String, (&'a Json, Vec<String>)>,
    fields: &'a BTreeMap<String, String>,
    today: i128,
}

/// The relevance, whether an answer is needed, and the code of the problem.
pub(super) type Judgement = (bool, bool, &'static str);

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    form: &'a Naive<'a>,
    row: Option<&'a str>,
    own: Option<Val>,
}

impl<'a> Naive<'a> {
    pub(super) fn new(
        template: &'a Json,
        fields: &'a BTreeMap<String, String>,
        today: i64,
    ) -> Self {
        let mut items = BTreeMap::new();
        collect(&template["items"], &[], &mut items);
        Self {
            items,
            fields,
            today: i128::from(today),
        }
    }

    /// The rows of a repeat in order.
    pub(super) fn rows(&self, repeat: &str) -> Vec<String> {
        let mut rows: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (key, text) in self.fields {
            let Some((item, row)) = key.split_once('-') else {
                continue;
            };
            if item == repeat {
                rows.insert(row.to_owned(), Some(text.clone()));
            } else if !text.is_empty() && self.items[item].1.iter().any(|around| around == repeat) {
                rows.entry(row.to_owned()).or_insert(None);
            }
        }
        let mut order: Vec<(i64, String)> = rows
            .into_iter()
            .filter(|(_, mark)| mark.as_deref() != Some("removed"))
            .map(|(row, mark)| (mark.map_or(i64::MAX, |at| at.parse().unwrap()), row))
            .collect();
        order.sort();
        order.into_iter().map(|(_, row)| row).collect()
    }

    pub(super) fn judge(&self, id: &str, row: Option<&str>) -> Judgement {
        let item = self.items[id].0;
        if !self.relevant(id, row) {
            return (false, false, "");
        }
        let rule = |field: &str, own| {
            let text = item[field].as_str()?;
            Some(truth(&self.run(text, row, own)))
        };
        let required = rule("required", None) == Some(true);
        let Some(text) = self.field(id, row).filter(|text| !text.is_empty()) else {
            return (true, required, if required { "form.required" } else { "" });
        };
        let problem = match self.typed(id, text) {
            Err(code) => code,
            Ok(value) => {
                let range = out_of_range(item, &value);
                let broken = rule("constraint", Some(value)) == Some(false);
                range.unwrap_or(if broken { "form.constraint" } else { "" })
            }
        };
        (true, required, problem)
    }

    fn field(&self, id: &str, row: Option<&str>) -> Option<&str> {
        let inside = self.items[id]
            .1
            .iter()
            .any(|id| self.items[id].0["type"] == "repeat");
        let key = match row {
            Some(row) if inside => format!("{id}-{row}"),
            _ => id.to_owned(),
        };
        self.fields.get(&key).map(String::as_str)
    }

    fn relevant(&self, id: &str, row: Option<&str>) -> bool {
        let (item, around) = &self.items[id];
        around
            .iter()
            .all(|id| self.relevant_itself(self.items[id].0, row))
            && self.relevant_itself(item, row)
    }

    fn relevant_itself(&self, item: &Json, row: Option<&str>) -> bool {
        let rule = item["relevant"].as_str();
        rule.is_none_or(|rule| truth(&self.run(rule, row, None)))
    }

    fn value(&self, id: &str, row: Option<&str>) -> Val {
        let blank = Val::S(String::new());
        match self.field(id, row) {
            Some(text) if !text.is_empty() && self.relevant(id, row) => {
                self.typed(id, text).unwrap_or(blank)
            }
            _ => blank,
        }
    }

    fn typed(&self, id: &str, text: &str) -> Result<Val, &'static str> {
        let wrong = "form.wrong_type";
        match self.items[id].0["type"].as_str().unwrap() {
            "number" => {
                let number = number(text).ok_or(wrong)?;
                (spelled(number) == text)
                    .then_some(Val::N(Some(number)))
                    .ok_or(wrong)
            }
            "yes_no" if text != "yes" && text != "no" => Err(wrong),
            "one" if !["apple", "pear", "fig"].contains(&text) => Err("form.unknown_choice"),
            "many" => {
                let order = ["apple", "pear", "fig"];
                if !text.split(' ').all(|part| order.contains(&part)) {
                    return Err("form.unknown_choice");
                }
                let sorted: Vec<_> = order
                    .into_iter()
                    .filter(|part| text.split(' ').any(|p| p == *part))
                    .collect();
                (sorted.join(" ") == text)
                    .then(|| Val::S(text.to_owned()))
                    .ok_or(wrong)
            }
            "date" => day(text).map(Val::D).ok_or(wrong),
            _ => Ok(Val::S(text.to_owned())),
        }
    }

    fn run(&self, text: &str, row: Option<&str>, own: Option<Val>) -> Val {
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
            form: self,
            row,
            own,
        };
        let value = reader.binary(0);
        reader.space();
        assert_eq!(reader.at, text.len(), "{text}");
        value
    }
}

fn collect<'a>(
    items: &'a Json,
    around: &[String],
    out: &mut BTreeMap<String, (&'a Json, Vec<String>)>,
) {
    for item in items.as_array().into_iter().flatten() {
        let id = item["id"].as_str().unwrap().to_owned();
        out.insert(id.clone(), (item, around.to_vec()));
        let inside = [around, &[id]].concat();
        collect(&item["items"], &inside, out);
    }
}

fn out_of_range(item: &Json, value: &Val) -> Option<&'static str> {
    let Val::N(Some(value)) = value else {
        return None;
    };
    let bound = |field: &str| number(item[field].as_str()?);
    if bound("min").is_some_and(|min| *value < min) {
        return Some("form.too_small");
    }
    if bound("max").is_some_and(|max| *value > max) {
        return Some("form.too_big");
    }
    let places = item["decimals"].as_u64().unwrap_or(0);
    let unit = 10_i128.pow(6 - u32::try_from(places).unwrap());
    (value % unit != 0).then_some("form.too_precise")
}

/// The operators by rank, the weakest first.
const RANKS: [&[&str]; 6] = [
    &["or"],
    &["and"],
    &["!=", "="],
    &["<=", ">=", "<", ">"],
    &["+", "-"],
    &["*", "div", "mod"],
];

impl Reader<'_> {
    fn space(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    fn eat(&mut self, word: &str) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn until(&mut self, end: u8) -> String {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| *byte == end).unwrap();
        let text = String::from_utf8(rest[..length].to_vec()).unwrap();
        self.at += length + 1;
        text
    }

    fn binary(&mut self, rank: usize) -> Val {
        let Some(operators) = RANKS.get(rank) else {
            return self.unary();
        };
        let mut left = self.binary(rank + 1);
        while let Some(operator) = operators.iter().find(|operator| self.eat(operator)) {
            let right = self.binary(rank + 1);
            left = apply(operator, &left, &right);
        }
        left
    }

    fn unary(&mut self) -> Val {
        if self.eat("-") {
            let value = as_number(&self.unary());
            return Val::N(value.and_then(|number| within(-number)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Val {
        if self.eat("(") {
            let value = self.binary(0);
            assert!(self.eat(")"));
            return value;
        }
        if self.eat("'") {
            return Val::S(self.until(b'\''));
        }
        if self.eat("${") {
            let id = self.until(b'}');
            return self.form.value(&id, self.row);
        }
        let rest = &self.text[self.at..];
        let digits = rest
            .iter()
            .take_while(|b| b.is_ascii_digit() || **b == b'.')
            .count();
        if digits > 0 {
            self.at += digits;
            let text = std::str::from_utf8(&rest[..digits]).unwrap();
            return match text {
                "." => self.own.clone().unwrap(),
                _ => Val::N(number(text)),
            };
        }
        let name = self.until(b'(');
        if name == "count" {
            assert!(self.eat("${"));
            let id = self.until(b'}');
            assert!(self.eat(")"));
            let rows = if self.form.relevant(&id, None) {
                self.form.rows(&id).len()
            } else {
                0
            };
            return Val::N(Some(rows as i128 * ONE));
        }
        let mut arguments = Vec::new();
        while !self.eat(")") {
            arguments.push(self.binary(0));
            self.eat(",");
        }
        self.call(&name, &arguments)
    }

    fn call(&self, name: &str, arguments: &[Val]) -> Val {
        match (name, arguments) {
            ("true", []) => Val::B(true),
            ("false", []) => Val::B(false),
            ("today", []) => Val::D(self.form.today),
            ("not", [value]) => Val::B(!truth(value)),
            ("if", [condition, then, otherwise]) => {
                if truth(condition) {
                    then.clone()
                } else {
                    otherwise.clone()
                }
            }
            ("coalesce", [first, second]) => match first {
                Val::S(text) if text.is_empty() => second.clone(),
                Val::N(None) => second.clone(),
                _ => first.clone(),
            },
            ("selected", [list, wanted]) => {
                let wanted = as_text(wanted);
                Val::B(
                    as_text(list)
                        .split(' ')
                        .any(|part| !part.is_empty() && part == wanted),
                )
            }
            ("count-selected", [list]) => {
                let count = as_text(list)
                    .split(' ')
                    .filter(|part| !part.is_empty())
                    .count();
                Val::N(Some(count as i128 * ONE))
            }
            ("string-length", [text]) => Val::N(Some(as_text(text).chars().count() as i128 * ONE)),
            ("int", [value]) => Val::N(as_number(value).map(|number| number / ONE * ONE)),
            _ => panic!("{name}"),
        }
    }
}

fn apply(operator: &str, left: &Val, right: &Val) -> Val {
    let both = as_number(left).zip(as_number(right));
    let compare = |f: fn(&i128, &i128) -> bool| Val::B(both.is_some_and(|(a, b)| f(&a, &b)));
    let compute = |f: fn(i128, i128) -> Option<i128>| {
        Val::N(both.and_then(|(a, b)| f(a, b)).and_then(within))
    };
    match operator {
        "or" => Val::B(truth(left) | truth(right)),
        "and" => Val::B(truth(left) & truth(right)),
        "=" => Val::B(equal(left, right)),
        "!=" => Val::B(!equal(left, right)),
        "<" => compare(|a, b| a < b),
        "<=" => compare(|a, b| a <= b),
        ">" => compare(|a, b| a > b),
        ">=" => compare(|a, b| a >= b),
        "+" => compute(|a, b| Some(a + b)),
        "-" => compute(|a, b| Some(a - b)),
        "*" => compute(|a, b| Some(nearest(a * b, ONE))),
        "div" => compute(|a, b| (b != 0).then(|| nearest(a * ONE, b))),
        "mod" => compute(|a, b| (b != 0).then(|| a % b)),
        _ => panic!("{operator}"),
    }
}

/// The nearest whole quotient, halves away from zero: of twice the size, plus one, cut to a half.
fn nearest(a: i128, b: i128) -> i128 {
    let size = (2 * a.abs() / b.abs() + 1) / 2;
    if (a < 0) == (b < 0) { size } else { -size }
}

fn within(number: i128) -> Option<i128> {
    i64::try_from(number).ok().map(i128::from)
}

fn truth(value: &Val) -> bool {
    match value {
        Val::S(text) => !text.is_empty(),
        Val::N(number) => number.is_some_and(|number| number != 0),
        Val::B(flag) => *flag,
        Val::D(_) => true,
    }
}

fn equal(left: &Val, right: &Val) -> bool {
    match (left, right) {
        (Val::B(_), _) | (_, Val::B(_)) => truth(left) == truth(right),
        (Val::S(a), Val::S(b)) => a == b,
        (Val::S(text), Val::D(day)) | (Val::D(day), Val::S(text)) => *text == date_text(*day),
        _ => as_number(left).is_some() && as_number(left) == as_number(right),
    }
}

fn as_number(value: &Val) -> Option<i128> {
    match value {
        Val::S(text) => number(text.trim()).or_else(|| Some(day(text.trim())? * ONE)),
        Val::N(number) => *number,
        Val::B(flag) => Some(i128::from(*flag) * ONE),
        Val::D(day) => Some(day * ONE),
    }
}

fn as_text(value: &Val) -> String {
    match value {
        Val::S(text) => text.clone(),
        Val::N(None) => "NaN".into(),
        Val::N(Some(number)) => spelled(*number),
        Val::B(flag) => flag.to_string(),
        Val::D(day) => date_text(*day),
    }
}

fn spelled(number: i128) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:06}", number.abs() / ONE, number.abs() % ONE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn number(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: String = [whole, fraction].concat();
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) || digits.len() > 30 {
        return None;
    }
    let exponent = u32::try_from(fraction.len()).unwrap();
    let scaled = digits.parse::<i128>().unwrap() * ONE;
    let divisor = 10_i128.pow(exponent);
    (scaled % divisor == 0)
        .then(|| within(sign * scaled / divisor))
        .flatten()
}

const DAYS: [i128; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Counts day by day, year by year; slow and plain.
fn day(text: &str) -> Option<i128> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return None;
    };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let of = |part: &str| part.parse::<u16>().ok().map(i128::from);
    let (year, month, day) = (of(year)?, of(month)?, of(day)?);
    let in_month = *DAYS.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    let in_month = in_month + i128::from(month == 2 && leap(year));
    if year == 0 || day == 0 || day > in_month {
        return None;
    }
    let years: i128 = (1970..year)
        .map(|y| 365 + i128::from(leap(y)))
        .sum::<i128>()
        - (year..1970)
            .map(|y| 365 + i128::from(leap(y)))
            .sum::<i128>();
    let months: i128 = DAYS[..usize::try_from(month - 1).unwrap()].iter().sum();
    Some(years + months + i128::from(month > 2 && leap(year)) + day - 1)
}

fn date_text(days: i128) -> String {
    let (mut year, mut rest) = (1970, days);
    while rest < 0 {
        year -= 1;
        rest += 365 + i128::from(leap(year));
    }
    while rest >= 365 + i128::from(leap(year)) {
        rest -= 365 + i128::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    while rest >= DAYS[month] + i128::from(month == 1 && leap(year)) {
        rest -= DAYS[month] + i128::from(month == 1 && leap(year));
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, rest + 1)
}
