//! Generates the sources of a binding from the compiled library:
//! `onegrid-bindgen generate --language kotlin --out-dir DIR target/debug/libonegrid_ffi.so`.
//!
//! It is a crate of its own, so that the library never links the generator.

fn main() {
    uniffi::uniffi_bindgen_main();
}
