//! The reasons why an expression is refused.

coded_error! {
    /// The reason why an expression is refused.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum ExpressionError {
        /// The text ends too early, or has a character or word in a wrong place.
        #[error("form.syntax")]
        Syntax {
            /// The place in the text, in bytes from 0.
            at: usize,
        },
        /// The text is empty, or longer than `limits::FORM_EXPRESSION_BYTES_MAX` or
        /// `limits::FORM_EXPRESSION_STEPS_MAX`.
        #[error("form.expression_long")]
        TooLong,
        /// Brackets and signs are deeper than `limits::FORM_EXPRESSION_DEPTH_MAX`.
        #[error("form.expression_deep")]
        TooDeep,
        /// The function is not part of the language.
        #[error("form.unknown_function")]
        UnknownFunction(String),
        /// The function has too few or too many arguments, or `count` is not of a repeat.
        #[error("form.wrong_arguments")]
        WrongArguments(&'static str),
        /// The template has no question of this name.
        #[error("form.unknown_reference")]
        UnknownReference(String),
        /// A question in a repeat has a value for each row, so only questions of the same repeat may read it.
        #[error("form.repeat_reference")]
        RepeatReference(String),
        /// `.` has a meaning in a constraint only.
        #[error("form.no_own_value")]
        NoOwnValue,
    }
}
