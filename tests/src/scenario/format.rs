//! A scenario in the form of its file. An unknown name in the file is an error.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A story that every binding plays.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name, the same as the name of its file.
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// Devices that are empty when the story begins.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Phones that are enrolled when the story begins, each on a device of the same name.
    #[serde(default)]
    pub phones: Vec<EnrolledPhone>,
    /// The story, in order.
    pub steps: Vec<Step>,
}

/// A person with a phone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledPhone {
    /// The name of the phone and of its device.
    pub name: String,
    /// A person of the testbed's cast.
    pub who: String,
}

/// One step: a sentence, a command for the testbed, or a call of the SDK.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// A sentence for people who watch a sample: the next part of the story.
    pub say: Option<String>,
    /// A command of the testbed.
    pub testbed: Option<String>,
    /// The caller; several make the call one after the other.
    #[serde(rename = "as")]
    pub who: Option<OneOrMany>,
    /// The verb of the call.
    #[serde(rename = "do")]
    pub verb: Option<String>,
    /// Arguments of the command or call.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// The expected value.
    pub is: Option<Value>,
    /// The code of the expected refusal; one of several if the order of events is free.
    pub error: Option<OneOrMany>,
    /// The name of the saved value.
    pub save: Option<String>,
    /// The name of the phone that the call opens; without it the name of the device.
    pub save_phone: Option<String>,
}

/// A text or a list of texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One text.
    One(String),
    /// Several texts.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Returns all texts.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence that names the mistake in the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let scenario: Self = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        scenario.check().map(|()| scenario)
    }

    /// Checks that each step is one of the three, and expects a value or an error.
    fn check(&self) -> Result<(), String> {
        for (number, step) in (1..).zip(&self.steps) {
            let calls = step.who.is_some() && step.verb.is_some();
            let kinds = [step.say.is_some(), step.testbed.is_some(), calls];
            let kinds = kinds.iter().filter(|kind| **kind).count();
            let half_a_call = step.who.is_some() != step.verb.is_some();
            let both = step.error.is_some() && (step.is.is_some() || step.save.is_some());
            if kinds != 1 || half_a_call || both {
                return Err(format!("step {number} is not one thing: {step:?}"));
            }
        }
        Ok(())
    }
}
