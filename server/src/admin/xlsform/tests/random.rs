//! Random templates come back from their workbook with equal bytes.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::super::{TemplateFile, to_workbook};
use onegrid_core::domain::form::Template;

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Words that a spreadsheet may spoil: white space, line ends, quotes, markup, escapes of Excel.
    fn words(&mut self) -> Value {
        let texts = [
            "姓名",
            " 前后有空格 ",
            "两\n行",
            "\n\n",
            "<b>&amp;</b> & \"quotes\"",
            "_x0041_ _x005F_",
            "=1+1",
            "'123",
            "007",
            "TRUE",
            "2026-11-30",
            "𠮷 emoji 🏠",
            "#N/A",
            "$ { }",
        ];
        let sound = |text: &str| !text.trim().is_empty();
        let zh = Some(self.pick(&texts))
            .filter(|text| sound(text))
            .unwrap_or("字");
        let en = Some(self.pick(&texts)).filter(|text| sound(text) && self.chance(60));
        match en {
            Some(en) => json!({"zh": zh, "en": en}),
            None => json!({"zh": zh}),
        }
    }

    fn rule(&mut self, known: &[String], own: bool) -> String {
        let mut rules = vec![
            "true()".to_owned(),
            "false()".to_owned(),
            " 1 < 2 ".to_owned(),
            "today() > date('2026-11-30')".to_owned(),
            "'a\n' = \"b's\"".to_owned(),
        ];
        rules.extend(known.iter().map(|id| format!("${{{id}}} != ''")));
        if own {
            rules.push("string-length(.) < 9 and . != '<&>'".to_owned());
        }
        let at = self.below(rules.len());
        rules.swap_remove(at)
    }

    fn question(&mut self, id: &str, known: &[String]) -> Value {
        let kinds = [
            "text", "number", "one", "many", "yes_no", "date", "time", "position", "photo", "note",
        ];
        let kind = self.pick(&kinds);
        let mut item = json!({"type": kind, "id": id, "label": self.words()});
        if self.chance(30) {
            item["hint"] = self.words();
        }
        if self.chance(30) {
            item["relevant"] = json!(self.rule(known, false));
        }
        match kind {
            "one" | "many" => item["list"] = json!(self.pick(&["fruit", "yes_no"])),
            "number" if self.chance(60) => {
                item["min"] = json!(self.pick(&["-1", "0", "-0.5"]));
                item["max"] = json!(self.pick(&["1", "200", "9000000000000"]));
                item["decimals"] = json!(self.below(7));
                item["unit"] = self.words();
            }
            _ => {}
        }
        if kind == "note" {
            return item;
        }
        if self.chance(40) {
            item["required"] = json!(self.rule(known, false));
        }
        if self.chance(40) {
            item["constraint"] = json!(self.rule(known, true));
            if self.chance(50) {
                item["constraint_message"] = self.words();
            }
        }
        if self.chance(40) {
            let photo = "ab".repeat(32);
            item["default"] = json!(match kind {
                "text" => self.pick(&[" a ", "today()", "007", "1.50", "两\n行\t格", "_x000D_"]),
                "number" => self.pick(&["0", "1"]),
                "one" => "yes",
                "many" => "yes no",
                "yes_no" => self.pick(&["yes", "no"]),
                "date" => self.pick(&["today()", "2026-11-30"]),
                "time" => "07:05",
                _ => &photo,
            });
            if kind == "position" {
                item.as_object_mut().unwrap().remove("default");
            }
        }
        item
    }

    fn items(&mut self, prefix: &str, depth: usize, in_repeat: bool) -> Vec<Value> {
        let mut known = Vec::new();
        let mut items = Vec::new();
        for index in 0..=self.below(4) {
            let id = format!("{prefix}_{index}");
            if depth > 0 && self.chance(30) {
                let repeat = !in_repeat && self.chance(50);
                let inside = self.items(&id, depth - 1, in_repeat || repeat);
                let kind = if repeat { "repeat" } else { "section" };
                let mut item = json!({"type": kind, "id": id, "label": self.words()});
                if self.chance(30) {
                    item["relevant"] = json!(self.rule(&known, false));
                }
                if self.chance(30) {
                    item["hint"] = self.words();
                }
                item["items"] = json!(inside);
                items.push(item);
            } else {
                let item = self.question(&id, &known);
                if item["type"] != "note" {
                    known.push(id);
                }
                items.push(item);
            }
        }
        items
    }

    fn template(&mut self) -> Value {
        let mut template = json!({
            "format": 1,
            "id": "random",
            "version": 1 + self.below(1_000_000),
            "title": self.words(),
            "lists": [],
        });
        let mut lists = Vec::new();
        for id in ["fruit", "yes_no", "unused"] {
            let mut choices = vec![
                json!({"id": "yes", "label": self.words()}),
                json!({"id": "no", "label": self.words()}),
            ];
            for choice in ["A.1-b", "007", "TRUE"] {
                if self.chance(50) {
                    choices.push(json!({"id": choice, "label": self.words()}));
                }
            }
            lists.push(json!({"id": id, "choices": choices}));
        }
        template["lists"] = json!(lists);
        if self.chance(50) {
            template["about"] = self.words();
        }
        template["volunteers"] = json!(self.chance(50));
        template["restricted_place"] = json!(self.chance(50));
        match self.below(3) {
            0 => template["next_visit"] = json!({"days": 1 + self.below(400)}),
            1 => template["next_visit"] = json!({"working_days": 1 + self.below(400)}),
            _ => {}
        }
        template["items"] = json!(self.items("q", 2, false));
        template
    }
}

#[test]
fn random_templates_come_back_with_equal_bytes() {
    const ROUNDS: u64 = 120;
    let mut known = 0;
    for seed in 0..ROUNDS {
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let json = serde_json::to_vec(&dice.template()).unwrap();
        // A few draws are no template, such as a default out of its range.
        let Ok(template) = Template::parse(&json) else {
            continue;
        };
        known += 1;
        let bytes = to_workbook(&template).unwrap_or_else(|error| {
            let text = String::from_utf8_lossy(&json);
            panic!("seed {seed}: {} {error:?}\n{text}", error.code())
        });
        let again = TemplateFile::parse("again.xlsx", &bytes).unwrap().template;
        assert_eq!(again.to_bytes(), template.to_bytes(), "seed {seed}");
    }
    assert!(
        known * 2 > ROUNDS,
        "most draws are templates: {known} of {ROUNDS}"
    );
}
