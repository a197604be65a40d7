//! Why bytes are not taken.

coded_error! {
    /// The reason why bytes are not taken as a photo or recording.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum MediaError {
        /// A picture in another format, or in a rare form of JPEG. The host converts it to a plain JPEG.
        #[error("media.needs_jpeg")]
        NeedsJpeg,
        /// Sound or film in another format, or in a rare form of MP4. The host records AAC in MP4.
        #[error("media.needs_m4a")]
        NeedsM4a,
        /// Neither picture nor sound.
        #[error("media.unknown")]
        Unknown,
        /// Cut off, or not built as its format demands.
        #[error("media.damaged")]
        Damaged,
        /// More bytes than allowed, or a longer recording.
        #[error("media.too_large")]
        TooLarge,
        /// More pixels than allowed, as the header says.
        #[error("media.too_many_pixels")]
        TooManyPixels,
    }
}
