//! The arguments of a call, as values of the SDK.

use onegrid_ffi::types as t;
use serde_json::{Map, Value};

/// The arguments of a call. A wrong argument is a mistake of the scenario.
pub(super) struct Arguments<'a>(pub(super) &'a Map<String, Value>);

impl Arguments<'_> {
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn maybe(&self, name: &str) -> Option<String> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        self.value(name).map(text)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.maybe(name)
            .unwrap_or_else(|| panic!("the argument {name} is missing"))
    }

    /// Returns bytes that are written as hex digits.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let text = self.text(name);
        let pairs = (0..text.len() / 2).map(|at| &text[2 * at..2 * at + 2]);
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).expect("hex digits"))
            .collect()
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let items = self.value(name).and_then(Value::as_array);
        let items = items.into_iter().flatten();
        items
            .map(|item| item.as_str().expect("a text").to_owned())
            .collect()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.value(name)
            .map(|value| value.as_i64().expect("a whole number"))
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)
            .map(|value| value.as_bool().expect("true or false"))
    }

    pub(super) fn position(&self, name: &str) -> Option<t::GeoPosition> {
        self.value(name).map(position)
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        let fields = self.value("fields").and_then(Value::as_object);
        fields.into_iter().flatten()
    }

    pub(super) fn draft(&self) -> t::ReportDraft {
        t::ReportDraft {
            kind: self.text("kind"),
            fields: self.field_inputs(),
            position: self.position("position"),
            area: self.maybe("area"),
            restricted: self.flag("restricted").unwrap_or_default(),
            team: self.maybe("team"),
            named: self.texts("named"),
            linked: self.maybe("linked"),
            attachments: self.texts("attachments"),
        }
    }

    pub(super) fn field_inputs(&self) -> Vec<t::FieldInput> {
        let input = |(field, value): (&String, &Value)| t::FieldInput {
            field: field.clone(),
            value: field_value(value),
        };
        self.fields().map(input).collect()
    }

    pub(super) fn form_draft(&self) -> t::FormDraft {
        t::FormDraft {
            kind: self.text("kind"),
            template: self.text("template"),
            subject: self.maybe("subject"),
            title: self.maybe("title"),
            address: self.maybe("address"),
            position: self.position("position"),
            area: self.maybe("area"),
            planned_ms: self.number("planned_ms"),
            companions: self.texts("companions"),
            companion_names: self.maybe("companion_names"),
            restricted: self.flag("restricted").unwrap_or_default(),
            team: self.maybe("team"),
            linked: self.maybe("linked"),
            note: self.maybe("note"),
        }
    }

    pub(super) fn answers(&self) -> Vec<t::AnswerChange> {
        let answers = self.value("answers").and_then(Value::as_object);
        let answers = answers.into_iter().flatten();
        let change = |(question, value): (&String, &Value)| t::AnswerChange {
            question: question.clone(),
            row: self.maybe("row"),
            value: (!value.is_null()).then(|| field_value(value)),
        };
        answers.map(change).collect()
    }

    pub(super) fn finding(&self) -> t::FindingDraft {
        t::FindingDraft {
            kind: self.text("kind"),
            question: self.maybe("question"),
            row: self.maybe("row"),
            fields: self.field_inputs(),
            restricted: self.flag("restricted").unwrap_or_default(),
            team: self.maybe("team"),
            language: t::Language::Zh,
        }
    }

    pub(super) fn due_query(&self) -> t::DueQuery {
        let near = self.value("near").and_then(Value::as_object).map(|near| {
            let near = Arguments(near);
            let radius_m = near.number("radius_m").expect("a radius");
            t::Near {
                position: near.position("position").expect("a position"),
                radius_m: u32::try_from(radius_m).expect("metres"),
            }
        });
        t::DueQuery {
            before_ms: self.number("before_ms"),
            overdue: self.flag("overdue").unwrap_or_default(),
            near,
            in_my_areas: self.flag("in_my_areas").unwrap_or_default(),
            area: self.maybe("area"),
            template: self.maybe("template"),
        }
    }

    /// Returns the period between two times; without them all time.
    pub(super) fn span(&self) -> (i64, i64) {
        let (from, until) = (self.number("from_ms"), self.number("until_ms"));
        (from.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX))
    }

    pub(super) fn changes(&self) -> Vec<t::FieldChange> {
        self.fields()
            .map(|(field, value)| t::FieldChange {
                field: field.clone(),
                value: (!value.is_null()).then(|| field_value(value)),
            })
            .collect()
    }

    pub(super) fn query(&self) -> t::Query {
        t::Query {
            kinds: self.texts("kinds"),
            stages: self.texts("stages"),
            open: self.flag("open"),
            category: self.maybe("category"),
            area: self.maybe("area"),
            mine: self.flag("mine").unwrap_or_default(),
            assigned: self.maybe("assigned").map(|whose| match whose.as_str() {
                "me" => t::AssignedTo::Me,
                "my_units" => t::AssignedTo::MyUnits,
                other => panic!("assigned is me or my_units, not {other}"),
            }),
            undelivered: self.flag("undelivered").unwrap_or_default(),
            in_conflict: self.flag("in_conflict").unwrap_or_default(),
            due_before_ms: self.number("due_before_ms"),
            overdue: self.flag("overdue").unwrap_or_default(),
            ..t::Query::default()
        }
    }

    pub(super) fn move_input(&self) -> t::MoveInput {
        t::MoveInput {
            movement: self.text("movement"),
            assignment: self.maybe("assignment"),
            text: self.maybe("text"),
            to_unit: self.maybe("to_unit"),
            to_member: self.maybe("to_member"),
            to_area: self.maybe("to_area"),
            part: self.maybe("part"),
            accept_by_ms: self.number("accept_by_ms"),
            arrive_by_ms: self.number("arrive_by_ms"),
            resolve_by_ms: self.number("resolve_by_ms"),
            into: self.maybe("into"),
            request: self.maybe("request"),
            satisfied: self.flag("satisfied"),
            until_ms: self.number("until_ms"),
            category: self.maybe("category"),
            severity: self
                .number("severity")
                .map(|severity| u8::try_from(severity).expect("1 to 4")),
            grid: self.maybe("grid"),
            attachments: self.texts("attachments"),
            mentions: self.texts("mentions"),
            before: self.texts("before"),
            after: self.texts("after"),
            behalf_reason: self.maybe("behalf_reason"),
            reason: self.maybe("reason"),
        }
    }
}

pub(super) fn position(value: &Value) -> t::GeoPosition {
    t::GeoPosition {
        lat: value["lat"].as_f64().expect("a latitude"),
        lon: value["lon"].as_f64().expect("a longitude"),
        datum: t::Datum::Wgs84,
        accuracy_m: value["accuracy_m"]
            .as_u64()
            .and_then(|metres| u32::try_from(metres).ok()),
        fix_age_ms: 0,
    }
}

pub(super) fn field_value(value: &Value) -> t::FieldValue {
    match value {
        Value::String(text) => t::FieldValue::Text { text: text.clone() },
        Value::Bool(flag) => t::FieldValue::Flag { flag: *flag },
        Value::Object(_) => t::FieldValue::Position {
            position: position(value),
        },
        other => t::FieldValue::Number {
            number: other.as_i64().expect("a text, a number, or true or false"),
        },
    }
}
