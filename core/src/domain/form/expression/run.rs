//! A program and its answers to a value.

use std::cmp::Ordering;

use super::super::calendar::Date;
use super::super::decimal::Decimal;
use super::value::Value;
use super::{Expression, Function, Operator, Step};

/// The answers that a program reads at one place of a form.
pub(in super::super) trait Place<'a> {
    /// The value of a question, by the index of its item.
    fn answer(&self, item: usize) -> Value<'a>;
    /// The number of rows of a repeat, by the index of its item.
    fn rows(&self, item: usize) -> usize;
    /// The day that `today()` gives.
    fn today(&self) -> Date;
}

impl Expression {
    /// Runs the program. `own` is the answer that a constraint is about.
    pub(in super::super) fn run<'a>(
        &'a self,
        place: &dyn Place<'a>,
        own: Option<&Value<'a>>,
    ) -> Value<'a> {
        let mut stack: Vec<Value<'a>> = Vec::new();
        for step in &self.steps {
            let value = match step {
                Step::Number(number) => Value::Number(Some(*number)),
                Step::Text(text) => Value::Text(text.as_str().into()),
                Step::Answer(item) => place.answer(*item),
                Step::Rows(item) => {
                    let rows = i64::try_from(place.rows(*item)).ok();
                    Value::Number(rows.and_then(Decimal::whole))
                }
                Step::Own => own.cloned().unwrap_or(Value::BLANK),
                Step::Negate => {
                    let number = pop(&mut stack).number();
                    Value::Number(number.and_then(Decimal::negated))
                }
                Step::Operator(operator) => {
                    let right = pop(&mut stack);
                    operator.apply(&pop(&mut stack), &right)
                }
                Step::Call(function) => function.apply(&mut stack, place.today()),
            };
            stack.push(value);
        }
        pop(&mut stack)
    }
}

/// Takes the top of the stack. The parser has counted the operands, so the stack is never empty.
fn pop<'a>(stack: &mut Vec<Value<'a>>) -> Value<'a> {
    stack.pop().unwrap_or(Value::BLANK)
}

impl Operator {
    fn apply<'a>(self, left: &Value<'a>, right: &Value<'a>) -> Value<'a> {
        let order = || Some(left.number()?.cmp(&right.number()?));
        let number = |operation: fn(Decimal, Decimal) -> Option<Decimal>| {
            let both = left.number().zip(right.number());
            Value::Number(both.and_then(|(left, right)| operation(left, right)))
        };
        let flag = match self {
            Self::Plus => return number(Decimal::plus),
            Self::Minus => return number(Decimal::minus),
            Self::Times => return number(Decimal::times),
            Self::Div => return number(Decimal::over),
            Self::Mod => return number(Decimal::remainder),
            Self::Or => left.is_true() || right.is_true(),
            Self::And => left.is_true() && right.is_true(),
            Self::Equal => left.equals(right),
            Self::Unequal => !left.equals(right),
            Self::Less => order() == Some(Ordering::Less),
            Self::LessOrEqual => order().is_some_and(Ordering::is_le),
            Self::Greater => order() == Some(Ordering::Greater),
            Self::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
        };
        Value::Flag(flag)
    }
}

impl Function {
    fn apply<'a>(self, stack: &mut Vec<Value<'a>>, today: Date) -> Value<'a> {
        match self {
            Self::True => Value::Flag(true),
            Self::False => Value::Flag(false),
            Self::Not => Value::Flag(!pop(stack).is_true()),
            Self::If => {
                let otherwise = pop(stack);
                let then = pop(stack);
                if pop(stack).is_true() {
                    then
                } else {
                    otherwise
                }
            }
            Self::Coalesce => {
                let second = pop(stack);
                let first = pop(stack);
                if first.is_missing() { second } else { first }
            }
            Self::Selected => {
                let wanted = pop(stack);
                let (list, wanted) = (pop(stack), wanted.text().trim().to_owned());
                Value::Flag(list.text().split_whitespace().any(|part| part == wanted))
            }
            Self::CountSelected => counted(pop(stack).text().split_whitespace().count()),
            Self::Count => pop(stack),
            Self::StringLength => counted(pop(stack).text().chars().count()),
            Self::Number => Value::Number(pop(stack).number()),
            Self::Int => Value::Number(pop(stack).number().map(Decimal::cut)),
            Self::Today => Value::Date(today),
            Self::Date => pop(stack).date().map_or(Value::Number(None), Value::Date),
            Self::DecimalTime => Value::Number(pop(stack).part_of_day()),
        }
    }
}

fn counted<'a>(count: usize) -> Value<'a> {
    Value::Number(i64::try_from(count).ok().and_then(Decimal::whole))
}
