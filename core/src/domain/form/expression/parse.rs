//! Text to program: the shunting yard of Dijkstra, with a stack of bounded depth instead of recursion.

use super::error::ExpressionError;
use super::token::{Token, next};
use super::{Expression, Function, Operator, Step};
use crate::limits::{
    FORM_EXPRESSION_BYTES_MAX, FORM_EXPRESSION_DEPTH_MAX, FORM_EXPRESSION_STEPS_MAX,
};

/// The meaning of a name at the place of an expression.
pub(in super::super) enum Target {
    /// A question that the expression may read, by the index of its item.
    Answer(usize),
    /// A repeat, by the index of its item.
    Repeat(usize),
    /// A question in a repeat that the expression is not in.
    Elsewhere,
    /// No question or repeat of this name.
    Unknown,
}

/// The surroundings of an expression.
pub(in super::super) struct Scope<'a> {
    /// Finds the meaning of a name.
    pub(in super::super) find: &'a dyn Fn(&str) -> Target,
    /// Whether `.` has a meaning.
    pub(in super::super) has_own: bool,
}

/// An entry of the stack of things that wait for their right side.
enum Waiting {
    Negate,
    Operator(Operator),
    Group,
    Call { function: Function, commas: usize },
}

struct Parser<'a> {
    scope: &'a Scope<'a>,
    steps: Vec<Step>,
    waiting: Vec<Waiting>,
    /// The byte after the current token.
    at: usize,
}

impl Expression {
    /// Parses and checks an expression.
    pub(in super::super) fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, ExpressionError> {
        if text.trim().is_empty() || text.len() > FORM_EXPRESSION_BYTES_MAX {
            return Err(ExpressionError::TooLong);
        }
        let mut parser = Parser {
            scope,
            steps: Vec::new(),
            waiting: Vec::new(),
            at: 0,
        };
        parser.read(text)?;
        Ok(Self {
            source: text.to_owned(),
            steps: parser.steps,
        })
    }
}

impl Parser<'_> {
    /// Alternates between the places where a value begins and the places where an operator may follow.
    fn read(&mut self, text: &str) -> Result<(), ExpressionError> {
        let mut wants_value = true;
        while let Some((token, end)) = next(text, self.at)? {
            let start = self.at;
            self.at = end;
            wants_value = if wants_value {
                self.value(&token, text, start)?
            } else {
                self.after_value(&token, start)?
            };
            if self.waiting.len() > FORM_EXPRESSION_DEPTH_MAX {
                return Err(ExpressionError::TooDeep);
            }
            if self.steps.len() > FORM_EXPRESSION_STEPS_MAX {
                return Err(ExpressionError::TooLong);
            }
        }
        let at = text.len();
        if wants_value {
            return Err(ExpressionError::Syntax { at });
        }
        self.finish_above(0);
        if self.waiting.is_empty() {
            Ok(())
        } else {
            Err(ExpressionError::Syntax { at })
        }
    }

    /// Reads a token where a value begins. Returns whether a value is still wanted.
    fn value(&mut self, token: &Token<'_>, text: &str, at: usize) -> Result<bool, ExpressionError> {
        match token {
            Token::Number(number) => self.steps.push(Step::Number(*number)),
            Token::Text(text) => self.steps.push(Step::Text((*text).to_owned())),
            Token::Own if self.scope.has_own => self.steps.push(Step::Own),
            Token::Own => return Err(ExpressionError::NoOwnValue),
            Token::Reference(name) => {
                let step = self.reference(name)?;
                self.steps.push(step);
            }
            Token::Open => {
                self.waiting.push(Waiting::Group);
                return Ok(true);
            }
            Token::Operator(Operator::Minus) => {
                self.waiting.push(Waiting::Negate);
                return Ok(true);
            }
            Token::Word(word) => return self.call(word, text, at),
            Token::Operator(_) | Token::Comma | Token::Close => {
                return Err(ExpressionError::Syntax { at });
            }
        }
        Ok(false)
    }

    fn reference(&self, name: &str) -> Result<Step, ExpressionError> {
        let counted = matches!(
            self.waiting.last(),
            Some(Waiting::Call {
                function: Function::Count,
                ..
            })
        );
        match (self.scope.find)(name) {
            Target::Repeat(item) if counted => Ok(Step::Rows(item)),
            Target::Answer(item) => Ok(Step::Answer(item)),
            Target::Repeat(_) | Target::Elsewhere => {
                Err(ExpressionError::RepeatReference(name.to_owned()))
            }
            Target::Unknown => Err(ExpressionError::UnknownReference(name.to_owned())),
        }
    }

    /// Reads the name of a function and its opening bracket, and the whole of a call without arguments.
    fn call(&mut self, word: &str, text: &str, at: usize) -> Result<bool, ExpressionError> {
        let open = next(text, self.at)?;
        let Some((Token::Open, end)) = open else {
            return Err(ExpressionError::Syntax { at });
        };
        let function = Function::of_name(word)
            .ok_or_else(|| ExpressionError::UnknownFunction(word.to_owned()))?;
        self.at = end;
        if let Some((Token::Close, end)) = next(text, self.at)? {
            self.at = end;
            if function.arguments() != 0 {
                return Err(ExpressionError::WrongArguments(function.name()));
            }
            self.steps.push(Step::Call(function));
            return Ok(false);
        }
        self.waiting.push(Waiting::Call {
            function,
            commas: 0,
        });
        Ok(true)
    }

    /// Reads a token where an operator may follow. Returns whether a value is wanted next.
    fn after_value(&mut self, token: &Token<'_>, at: usize) -> Result<bool, ExpressionError> {
        let operator = match token {
            Token::Operator(operator) => Some(*operator),
            Token::Word("or") => Some(Operator::Or),
            Token::Word("and") => Some(Operator::And),
            Token::Word("div") => Some(Operator::Div),
            Token::Word("mod") => Some(Operator::Mod),
            _ => None,
        };
        if let Some(operator) = operator {
            self.finish_above(operator.rank());
            self.waiting.push(Waiting::Operator(operator));
            return Ok(true);
        }
        self.finish_above(0);
        let syntax = ExpressionError::Syntax { at };
        match (token, self.waiting.pop()) {
            (Token::Close, Some(Waiting::Group)) => Ok(false),
            (Token::Close, Some(Waiting::Call { function, commas })) => {
                let counts_rows = matches!(self.steps.last(), Some(Step::Rows(_)));
                if commas + 1 != function.arguments()
                    || (function == Function::Count && !counts_rows)
                {
                    return Err(ExpressionError::WrongArguments(function.name()));
                }
                self.steps.push(Step::Call(function));
                Ok(false)
            }
            (Token::Comma, Some(Waiting::Call { function, commas })) => {
                let commas = commas + 1;
                self.waiting.push(Waiting::Call { function, commas });
                Ok(true)
            }
            _ => Err(syntax),
        }
    }

    /// Writes the waiting operators that bind at least as strongly as `rank`, down to an open bracket.
    fn finish_above(&mut self, rank: u8) {
        while let Some(waiting) = self.waiting.last() {
            let step = match waiting {
                Waiting::Negate => Step::Negate,
                Waiting::Operator(operator) if operator.rank() >= rank => Step::Operator(*operator),
                _ => return,
            };
            self.steps.push(step);
            self.waiting.pop();
        }
    }
}

impl Operator {
    /// How strongly it binds: XPath 1.0, section 3.5. Operators of one rank are read from the left.
    fn rank(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::Unequal => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
            Self::Plus | Self::Minus => 5,
            Self::Times | Self::Div | Self::Mod => 6,
        }
    }
}
