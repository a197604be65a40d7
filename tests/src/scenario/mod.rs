//! The scenarios of `mobile-bindings/scenarios`, and a player of them in Rust.
//!
//! ```text
//!  *.json ─▶ Scenario ─▶ play ─▶ testbed commands ─▶ testbed::Client
//!                          └───▶ calls of the SDK ─▶ Sdk (onegrid-ffi)
//! ```
//!
//! The suites of the bindings play the same files, each with an interpreter of its own. This one comes first:
//! it finds a scenario that is wrong without any other language. `mobile-bindings/scenarios/README.md` is the
//! specification of the format.
//!
//! **Not here:** the meaning of a verb, which is in [`Sdk`] and its implementation.

mod compare;
mod format;
pub mod sdk;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::testbed::Client;

pub use compare::compare;
pub use format::{EnrolledPhone, OneOrMany, Scenario, Step};

/// A call of the SDK in a scenario.
#[derive(Debug)]
pub struct Call<'a> {
    /// The device or phone that makes the call.
    pub who: &'a str,
    /// The verb.
    pub verb: &'a str,
    /// The arguments, with their references replaced.
    pub with: Map<String, Value>,
    /// The name of the phone that the verb opens.
    pub phone: &'a str,
}

/// The SDK as scenarios use it.
pub trait Sdk {
    /// Unpacks a new device: an empty folder and an empty vault.
    fn unpack(&mut self, device: &str);

    /// Makes a call; the error is the code of the refusal.
    fn call(&mut self, call: &Call<'_>) -> Result<Value, String>;
}

/// Plays a scenario to its end.
///
/// # Errors
/// The first step that fails, with its number in the file, from 1.
pub fn play(scenario: &Scenario, testbed: &mut Client, sdk: &mut dyn Sdk) -> Result<(), String> {
    let mut player = Player {
        testbed,
        sdk,
        saved: HashMap::new(),
    };
    for device in &scenario.devices {
        player.sdk.unpack(device);
    }
    for person in &scenario.phones {
        let enrolled = player.enrol(person);
        enrolled.map_err(|why| format!("{}, phone {}: {why}", scenario.name, person.name))?;
    }
    for (number, step) in (1..).zip(&scenario.steps) {
        let played = player.step(step);
        played.map_err(|why| format!("{}, step {number} {step:?}: {why}", scenario.name))?;
    }
    Ok(())
}

struct Player<'a> {
    testbed: &'a mut Client,
    sdk: &'a mut dyn Sdk,
    saved: HashMap<String, Value>,
}

impl Player<'_> {
    /// Enrols a phone and syncs it before the story begins.
    fn enrol(&mut self, person: &EnrolledPhone) -> Result<(), String> {
        self.sdk.unpack(&person.name);
        let refused = |refusal: crate::testbed::Refusal| refusal.to_string();
        let invited = self
            .testbed
            .ask("invite", &json!({ "who": person.who }))
            .map_err(refused)?;
        for (verb, with) in [
            ("open", json!({})),
            ("enrol", json!({ "invitation": invited["qr"] })),
            ("sync", json!({})),
        ] {
            let Value::Object(with) = with else {
                unreachable!("each is an object")
            };
            self.sdk.call(&Call {
                who: &person.name,
                verb,
                with,
                phone: &person.name,
            })?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let with = self.filled(&Value::Object(step.with.clone()))?;
        if let Some(command) = &step.testbed {
            let answer = self.testbed.ask(command, &with);
            return self.judge(step, answer.map_err(|refusal| refusal.code));
        }
        let Some(verb) = &step.verb else {
            return Ok(());
        };
        let Value::Object(with) = with else {
            unreachable!("an object stays one")
        };
        for who in step.who.as_ref().map(OneOrMany::all).unwrap_or_default() {
            let answer = self.sdk.call(&Call {
                who,
                verb,
                with: with.clone(),
                phone: step.save_phone.as_deref().unwrap_or(who),
            });
            self.judge(step, answer)
                .map_err(|why| format!("{who}: {why}"))?;
        }
        Ok(())
    }

    fn judge(&mut self, step: &Step, answer: Result<Value, String>) -> Result<(), String> {
        let value = match (answer, &step.error) {
            (Ok(value), None) => value,
            (Ok(value), Some(codes)) => {
                return Err(format!("gave {value}, not the error {:?}", codes.all()));
            }
            (Err(code), Some(codes)) if codes.all().contains(&code) => return Ok(()),
            (Err(code), _) => return Err(format!("was refused with {code}")),
        };
        if let Some(expected) = &step.is {
            compare(&self.filled(expected)?, &value)?;
        }
        if let Some(name) = &step.save {
            self.saved.insert(name.clone(), value);
        }
        Ok(())
    }

    /// Returns the value with its references (`$name`, `$name.field`, `$name.0`) replaced by saved values.
    fn filled(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(path) => self.saved(path)?,
                None => value.clone(),
            },
            Value::Array(items) => items
                .iter()
                .map(|item| self.filled(item))
                .collect::<Result<_, _>>()?,
            Value::Object(fields) => fields
                .iter()
                .map(|(name, field)| Ok((name.clone(), self.filled(field)?)))
                .collect::<Result<Map<_, _>, String>>()?
                .into(),
            other => other.clone(),
        })
    }

    fn saved(&self, path: &str) -> Result<Value, String> {
        let mut parts = path.split('.');
        let mut value = parts.next().and_then(|name| self.saved.get(name));
        for part in parts {
            value = value.and_then(|value| match part.parse::<usize>() {
                Ok(number) => value.get(number),
                Err(_) => value.get(part),
            });
        }
        value
            .cloned()
            .ok_or_else(|| format!("nothing is saved as ${path}"))
    }
}
