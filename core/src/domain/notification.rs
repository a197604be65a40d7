//! The news that a phone shows to its person: the sort of news, never its content.

coded_enum! {
    /// The sort of news. Its sentence is the text `notify.<name>`.
    NotificationKind, u8 {
        /// A case was dispatched to the person.
        DispatchedToMe = 1, "dispatched_to_me";
        /// A case was dispatched to a unit of the person.
        DispatchedToUnit = 2, "dispatched_to_unit";
        /// Another person called the person by name.
        Mentioned = 3, "mentioned";
        /// The office has opened a report of the person.
        Seen = 4, "seen";
        /// A report of the person is resolved.
        Handled = 5, "handled";
        /// A party returned a case that the person had dispatched.
        Returned = 6, "returned";
        /// A conflict that names the person, or that is about a report of the person.
        Conflict = 7, "conflict";
        /// An entry of the person does not count.
        NotCounted = 8, "not_counted";
        /// An entry of the person awaits review.
        Held = 9, "held";
        /// This phone was revoked.
        Revoked = 10, "revoked";
        /// The certificate of this phone has run out.
        Expired = 11, "expired";
        /// The read access of the person has changed.
        AccessChanged = 12, "access_changed";
    }
}
