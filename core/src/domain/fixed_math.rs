//! Sine and cosine from additions and multiplications alone.
//!
//! The operating system's sine may differ in the last bit from one phone to the next. IEEE 754
//! fixes `+ - * / sqrt` and rounding exactly, and Rust never fuses them, so these two give the same
//! bits on every machine. Absolute error below 1e-11.

use std::f64::consts::PI;

/// Sine of `t · π`.
pub(crate) fn sin_pi(t: f64) -> f64 {
    // To [-1, 1], exactly; then by symmetry to [-0.5, 0.5], where the series is short.
    let turn = t - 2.0 * (t / 2.0).round();
    let folded = if turn > 0.5 {
        1.0 - turn
    } else if turn < -0.5 {
        -1.0 - turn
    } else {
        turn
    };
    let x = folded * PI;
    let square = x * x;
    // Taylor, from the last term inwards: x^17/17! is below 6e-12 here.
    let mut sum = 1.0;
    for k in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        sum = 1.0 - sum * square / (k * (k + 1.0));
    }
    x * sum
}

/// Cosine of an angle in degrees.
pub(crate) fn cos_deg(degrees: f64) -> f64 {
    sin_pi(degrees / 180.0 + 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_libraries_sine_over_many_turns() {
        for step in -40_000..40_000 {
            let t = f64::from(step) * 0.017_3;
            assert!((sin_pi(t) - (t * PI).sin()).abs() < 1e-9, "sin({t}π)");
        }
        for degrees in -90..=90 {
            let angle = f64::from(degrees);
            assert!((cos_deg(angle) - angle.to_radians().cos()).abs() < 1e-10);
        }
    }
}
