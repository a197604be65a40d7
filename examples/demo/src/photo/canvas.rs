//! A small canvas: filled shapes with soft edges, in whole numbers.

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];
/// A point, pixels from the left and from the top.
pub(super) type Point = [i32; 2];
/// Left, top, right and bottom, pixels.
pub(super) type Bounds = [i32; 4];

/// Samples of a pixel along one side; a soft edge counts those that are inside.
const SAMPLES: i32 = 4;

/// The colours of a shape.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fill {
    Plain(Rgb),
    /// From the left edge through the middle to the right edge: a round body in the light.
    Across([Rgb; 3]),
    /// From the top to the bottom.
    Down([Rgb; 2]),
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Rectangle(Bounds),
    /// The ellipse that touches the four sides.
    Oval(Bounds),
    Polygon(Vec<Point>),
}

/// Pixels in red, green and blue, row by row.
pub(super) struct Canvas {
    width: u16,
    height: u16,
    pixels: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let pixels = vec![0; usize::from(width) * usize::from(height) * 3];
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Paints a shape over the picture.
    pub(super) fn paint(&mut self, shape: &Shape, fill: Fill) {
        self.wash(shape, fill, 100);
    }

    /// Paints a shape that lets the picture shine through; at 100 percent it covers.
    pub(super) fn wash(&mut self, shape: &Shape, fill: Fill, percent: i32) {
        let bounds = shape.bounds();
        let [left, top, right, bottom] = bounds;
        let (width, height) = (i32::from(self.width), i32::from(self.height));
        for y in top.max(0)..bottom.min(height) {
            for x in left.max(0)..right.min(width) {
                let inside = shape.covered(x, y);
                if inside == 0 {
                    continue;
                }
                let colour = fill.at([x, y], bounds);
                let weight = inside * percent;
                let first = usize::try_from((y * width + x) * 3).unwrap_or(0);
                for (value, new) in self.pixels[first..first + 3].iter_mut().zip(colour) {
                    *value = mix(*value, new, weight, SAMPLES * SAMPLES * 100);
                }
            }
        }
    }

    /// Paints a straight line of this width.
    pub(super) fn line(&mut self, from: Point, to: Point, width: i32, colour: Rgb) {
        let [across, along] = [to[0] - from[0], to[1] - from[1]];
        let length = (across * across + along * along).isqrt().max(1);
        let aside = [-along * width / (2 * length), across * width / (2 * length)];
        // A thin slanted line keeps at least one pixel of width.
        let aside = if aside == [0, 0] { [1, 0] } else { aside };
        let corner = |at: Point, sign: i32| [at[0] + sign * aside[0], at[1] + sign * aside[1]];
        let corners = vec![
            corner(from, 1),
            corner(to, 1),
            corner(to, -1),
            corner(from, -1),
        ];
        self.paint(&Shape::Polygon(corners), Fill::Plain(colour));
        // Round ends, so that the parts of a bent line join.
        let half = width / 2;
        for [x, y] in [from, to] {
            let end = Shape::Oval([x - half, y - half, x + half, y + half]);
            self.paint(&end, Fill::Plain(colour));
        }
    }

    /// Adds the grain of a small camera, and gives out the pixels.
    pub(super) fn into_pixels(mut self, seed: u32) -> Vec<u8> {
        let mut noise = seed | 1;
        for value in &mut self.pixels {
            // The generator of Knuth's MMIX, cut to 32 bits: grain needs no more.
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = i32::try_from(noise >> 28).unwrap_or(0) - 8;
            *value = clamped(i32::from(*value) + grain);
        }
        self.pixels
    }
}

impl Fill {
    fn at(self, [x, y]: Point, [left, top, right, bottom]: Bounds) -> Rgb {
        let (across, wide) = (x - left, (right - left).max(1));
        let (along, high) = (y - top, (bottom - top).max(1));
        let between = |a: Rgb, b: Rgb, part: i32, of: i32| {
            [0, 1, 2].map(|channel| mix(a[channel], b[channel], part, of))
        };
        match self {
            Self::Plain(colour) => colour,
            Self::Across([a, b, _]) if 2 * across < wide => between(a, b, 2 * across, wide),
            Self::Across([_, b, c]) => between(b, c, 2 * across - wide, wide),
            Self::Down([a, b]) => between(a, b, along, high),
        }
    }
}

impl Shape {
    fn bounds(&self) -> Bounds {
        match self {
            Self::Rectangle(bounds) | Self::Oval(bounds) => *bounds,
            Self::Polygon(points) => points.iter().fold(
                [i32::MAX, i32::MAX, i32::MIN, i32::MIN],
                |[left, top, right, bottom], [x, y]| {
                    [left.min(*x), top.min(*y), right.max(*x), bottom.max(*y)]
                },
            ),
        }
    }

    /// Samples of a pixel that are inside, at most the square of [`SAMPLES`].
    fn covered(&self, x: i32, y: i32) -> i32 {
        if matches!(self, Self::Rectangle(_)) {
            return SAMPLES * SAMPLES;
        }
        let mut inside = 0;
        for down in 0..SAMPLES {
            for right in 0..SAMPLES {
                // Twice as fine as the samples, so that a sample is in the middle of its part.
                let at = [x, y].map(|side| 2 * SAMPLES * side);
                let at = [at[0] + 2 * right + 1, at[1] + 2 * down + 1];
                inside += i32::from(self.holds(at));
            }
        }
        inside
    }

    fn holds(&self, [x, y]: Point) -> bool {
        let fine = |side: i32| i64::from(2 * SAMPLES * side);
        let (x, y) = (i64::from(x), i64::from(y));
        match self {
            Self::Rectangle(_) => true,
            Self::Oval([left, top, right, bottom]) => {
                let (radius_x, radius_y) = (fine(right - left) / 2, fine(bottom - top) / 2);
                let dx = x - fine(left + right) / 2;
                let dy = y - fine(top + bottom) / 2;
                let (square_x, square_y) = (radius_x * radius_x, radius_y * radius_y);
                dx * dx * square_y + dy * dy * square_x <= square_x * square_y
            }
            Self::Polygon(points) => {
                let ends = points.iter().zip(points.iter().cycle().skip(1));
                let crossed = ends.filter(|([ax, ay], [bx, by])| {
                    let (ax, ay, bx, by) = (fine(*ax), fine(*ay), fine(*bx), fine(*by));
                    let (here, edge) = ((x - ax) * (by - ay), (bx - ax) * (y - ay));
                    (ay > y) != (by > y) && if by > ay { here < edge } else { here > edge }
                });
                crossed.count() % 2 == 1
            }
        }
    }
}

/// Returns the value that lies `part` of the way from `a` to `b`, out of `of`.
fn mix(a: u8, b: u8, part: i32, of: i32) -> u8 {
    let (a, b) = (i32::from(a), i32::from(b));
    clamped((a * (of - part) + b * part) / of)
}

fn clamped(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgb = [200, 0, 0];

    fn red(canvas: &Canvas, x: usize, y: usize) -> u8 {
        canvas.pixels[(y * usize::from(canvas.width) + x) * 3]
    }

    #[test]
    fn shapes_cover_their_inside_with_soft_edges() {
        let mut canvas = Canvas::new(40, 40);
        canvas.paint(&Shape::Oval([10, 10, 30, 30]), Fill::Plain(RED));
        assert_eq!(red(&canvas, 20, 20), 200, "middle");
        assert_eq!(red(&canvas, 11, 11), 0, "corner");
        let edge = (10..30).map(|x| red(&canvas, x, 13));
        assert!(edge.clone().any(|value| value > 0 && value < 200));
        let mut canvas = Canvas::new(40, 40);
        canvas.line([0, 0], [40, 40], 6, RED);
        assert_eq!((red(&canvas, 20, 20), red(&canvas, 30, 10)), (200, 0));
    }

    #[test]
    fn shapes_beyond_the_canvas_are_cut_off() {
        let mut canvas = Canvas::new(8, 8);
        canvas.paint(&Shape::Rectangle([-5, -5, 50, 50]), Fill::Down([RED, RED]));
        assert_eq!((red(&canvas, 0, 0), red(&canvas, 7, 7)), (200, 200));
    }
}
