//! The scenes of the photos, in simple shapes.

use super::canvas::{Bounds, Canvas, Fill, Point, Rgb, Shape};
use super::{HEIGHT, WIDTH};

/// The subject of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Five gas cylinders beside a stove.
    Kitchen,
    /// A cylinder and an open flame, near.
    Flame,
    /// Two cylinders in a cage in the yard.
    Yard,
    /// An e-bike that is charged in a stairwell.
    Stairwell,
    /// Cables that hang from a pole.
    Cables,
    /// Cartons beside a switch box.
    Cartons,
}

impl Scene {
    /// Every scene, in the order of their codes.
    pub(crate) const ALL: [Self; 6] = [
        Self::Kitchen,
        Self::Flame,
        Self::Yard,
        Self::Stairwell,
        Self::Cables,
        Self::Cartons,
    ];

    /// A number of its own.
    pub(super) fn code(self) -> u8 {
        let at = Self::ALL.iter().position(|one| *one == self);
        at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
    }
}

const STEEL: [Rgb; 3] = [[96, 104, 110], [208, 214, 216], [104, 112, 118]];
const BLUE: [Rgb; 3] = [[34, 66, 96], [128, 168, 196], [30, 58, 84]];
const RUST: [Rgb; 3] = [[104, 58, 34], [206, 140, 92], [94, 52, 32]];
const DARK: Rgb = [38, 38, 40];

/// Draws a scene.
pub(super) fn draw(scene: Scene) -> Canvas {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    match scene {
        Scene::Kitchen => kitchen(&mut canvas),
        Scene::Flame => flame_beside(&mut canvas),
        Scene::Yard => yard(&mut canvas),
        Scene::Stairwell => stairwell(&mut canvas),
        Scene::Cables => cables(&mut canvas),
        Scene::Cartons => cartons(&mut canvas),
    }
    canvas
}

fn rectangle(canvas: &mut Canvas, bounds: Bounds, colour: Rgb) {
    canvas.paint(&Shape::Rectangle(bounds), Fill::Plain(colour));
}

fn oval(canvas: &mut Canvas, bounds: Bounds, colour: Rgb) {
    canvas.paint(&Shape::Oval(bounds), Fill::Plain(colour));
}

fn polygon(canvas: &mut Canvas, corners: &[Point], colour: Rgb) {
    canvas.paint(&Shape::Polygon(corners.to_vec()), Fill::Plain(colour));
}

fn down(canvas: &mut Canvas, bounds: Bounds, colours: [Rgb; 2]) {
    canvas.paint(&Shape::Rectangle(bounds), Fill::Down(colours));
}

fn shadow(canvas: &mut Canvas, bounds: Bounds) {
    canvas.wash(&Shape::Oval(bounds), Fill::Plain([20, 16, 12]), 45);
}

/// A gas cylinder with collar, valve and warning sign. `foot` is the middle of its foot.
fn cylinder(canvas: &mut Canvas, foot: Point, width: i32, colours: [Rgb; 3]) {
    let [x, bottom] = foot;
    let half = width / 2;
    let (top, dome) = (bottom - width * 13 / 10, width * 45 / 100);
    shadow(
        canvas,
        [x - half, bottom - width / 9, x + width, bottom + width / 7],
    );
    let body = |bounds| Shape::Rectangle(bounds);
    let foot = [
        x - half * 8 / 10,
        bottom - width / 8,
        x + half * 8 / 10,
        bottom,
    ];
    canvas.paint(&body(foot), Fill::Across(RUST));
    let round = Fill::Across(colours);
    let low = bottom - width / 4;
    canvas.paint(
        &Shape::Oval([x - half, low - dome / 2, x + half, low + dome / 2]),
        round,
    );
    canvas.paint(&body([x - half, top, x + half, low]), round);
    canvas.paint(
        &Shape::Oval([x - half, top - dome / 2, x + half, top + dome / 2]),
        round,
    );
    // The seam around the middle, where the two halves are welded.
    let seam = i32::midpoint(top, low);
    canvas.wash(
        &body([x - half, seam - 2, x + half, seam + 2]),
        Fill::Plain(DARK),
        45,
    );
    let (collar, high) = (width * 28 / 100, top - dome / 2 - width / 4);
    let ring = [x - collar, high, x + collar, top - dome / 4];
    canvas.paint(&body(ring), Fill::Across(STEEL));
    let gap = width / 9;
    rectangle(
        canvas,
        [
            x - collar + gap,
            high + gap,
            x + collar - gap,
            high + 2 * gap,
        ],
        DARK,
    );
    let valve = [x - width / 14, high - width / 10, x + width / 14, high];
    rectangle(canvas, valve, [176, 138, 62]);
    let wheel = [
        x - width / 7,
        high - width / 6,
        x + width / 7,
        high - width / 14,
    ];
    oval(canvas, wheel, [178, 38, 30]);
    sign(
        canvas,
        [x, i32::midpoint(top, seam) + width / 20],
        width / 5,
    );
}

/// A warning sign: a red rhombus with a white flame.
fn sign(canvas: &mut Canvas, [x, y]: Point, half: i32) {
    polygon(
        canvas,
        &[[x, y - half], [x + half, y], [x, y + half], [x - half, y]],
        [196, 32, 28],
    );
    let small = half * 5 / 10;
    polygon(
        canvas,
        &[
            [x, y - small],
            [x + small * 7 / 10, y + small / 2],
            [x, y + small],
            [x - small * 7 / 10, y + small / 2],
        ],
        [250, 240, 232],
    );
}

/// A row of tongues of fire. `from` is the left end of their foot.
fn fire(canvas: &mut Canvas, from: Point, wide: i32, high: i32) {
    let [left, foot] = from;
    canvas.wash(
        &Shape::Oval([
            left - wide / 5,
            foot - high * 2,
            left + wide * 6 / 5,
            foot + high / 2,
        ]),
        Fill::Plain([255, 170, 60]),
        18,
    );
    let tongues = 6;
    for tongue in 0..tongues {
        let x = left + wide * tongue / tongues;
        let step = wide / tongues;
        let tip = foot - high * (10 - (tongue * 7 + 3) % 4) / 10;
        let bent = x + step * (tongue % 3 + 1) / 4;
        polygon(
            canvas,
            &[
                [x, foot],
                [x - step / 6, foot - high / 3],
                [bent, tip],
                [x + step, foot - high / 3],
                [x + step, foot],
            ],
            [52, 108, 226],
        );
        polygon(
            canvas,
            &[
                [x + step / 6, foot],
                [bent, i32::midpoint(tip, foot) - high / 5],
                [x + step * 5 / 6, foot],
            ],
            [255, 176, 52],
        );
    }
}

/// A wall of tiles over a floor that begins at `edge`.
fn tiles(canvas: &mut Canvas, edge: i32) {
    let (wide, high) = (i32::from(WIDTH), i32::from(HEIGHT));
    down(
        canvas,
        [0, 0, wide, edge],
        [[198, 206, 200], [226, 230, 222]],
    );
    for x in (0..wide).step_by(80) {
        rectangle(canvas, [x, 0, x + 3, edge], [176, 184, 178]);
    }
    for y in (20..edge).step_by(80) {
        rectangle(canvas, [0, y, wide, y + 3], [176, 184, 178]);
    }
    // Grease runs down behind the stove.
    canvas.wash(
        &Shape::Oval([520, 60, 940, edge + 60]),
        Fill::Plain([150, 122, 74]),
        11,
    );
    down(
        canvas,
        [0, edge, wide, high],
        [[132, 114, 96], [86, 74, 62]],
    );
    for (at, x) in (-400..wide + 400).step_by(150).enumerate() {
        let skew = i32::try_from(at).unwrap_or(0) * 26 - 120;
        canvas.line([x, edge], [x + skew, high], 3, [104, 90, 76]);
    }
    for y in [edge + 50, edge + 120, edge + 220] {
        rectangle(canvas, [0, y, wide, y + 3], [104, 90, 76]);
    }
}

fn stove(canvas: &mut Canvas, [left, top]: Point, wide: i32) {
    let right = left + wide;
    shadow(canvas, [left - 20, top + 270, right + 40, top + 330]);
    canvas.paint(
        &Shape::Rectangle([left, top, right, top + 300]),
        Fill::Across(STEEL),
    );
    rectangle(canvas, [left - 12, top - 22, right + 12, top + 6], DARK);
    rectangle(
        canvas,
        [left + 30, top + 110, right - 30, top + 250],
        [74, 80, 84],
    );
    for knob in 0..3 {
        let x = left + wide * (knob + 1) / 4;
        oval(canvas, [x - 18, top + 36, x + 18, top + 72], DARK);
        rectangle(canvas, [x - 3, top + 38, x + 3, top + 56], [230, 230, 226]);
    }
}

fn wok(canvas: &mut Canvas, bounds: Bounds) {
    let [left, top, right, bottom] = bounds;
    oval(canvas, bounds, [46, 44, 44]);
    let rim = [left, top, right, top + (bottom - top) * 6 / 10];
    oval(canvas, rim, [86, 84, 82]);
    let [left, top, right, low] = rim;
    oval(
        canvas,
        [left + 14, top + 8, right - 14, low - 6],
        [58, 48, 38],
    );
}

fn kitchen(canvas: &mut Canvas) {
    tiles(canvas, 400);
    stove(canvas, [590, 340], 300);
    fire(canvas, [640, 318], 200, 70);
    wok(canvas, [600, 200, 880, 290]);
    canvas.line([880, 236], [958, 206], 16, [120, 78, 44]);
    for steam in [660, 730, 800] {
        canvas.wash(
            &Shape::Oval([steam, 40, steam + 70, 210]),
            Fill::Plain([255, 255, 255]),
            18,
        );
    }
    for (at, colours) in [
        ([96, 520], BLUE),
        ([236, 510], STEEL),
        ([376, 524], BLUE),
        ([166, 650], STEEL),
        ([330, 662], BLUE),
    ] {
        cylinder(canvas, at, 130, colours);
    }
    // The hose of the nearest cylinder runs over the floor to the stove.
    let hose = [
        [330, 440],
        [420, 470],
        [470, 560],
        [540, 590],
        [600, 540],
        [640, 470],
    ];
    for ends in hose.windows(2) {
        canvas.line(ends[0], ends[1], 12, [206, 92, 28]);
    }
}

fn flame_beside(canvas: &mut Canvas) {
    tiles(canvas, 470);
    stove(canvas, [560, 430], 420);
    fire(canvas, [600, 410], 330, 150);
    wok(canvas, [540, 130, 960, 290]);
    cylinder(canvas, [270, 690], 330, BLUE);
    for ends in [[300, 120], [420, 96], [520, 180], [560, 330], [610, 450]].windows(2) {
        canvas.line(ends[0], ends[1], 20, [206, 92, 28]);
    }
    // Cracks of the hose.
    for at in [[430, 100], [470, 138], [540, 250]] {
        canvas.line(at, [at[0] + 14, at[1] + 16], 5, [70, 30, 12]);
    }
}

fn yard(canvas: &mut Canvas) {
    let (wide, high) = (i32::from(WIDTH), i32::from(HEIGHT));
    down(
        canvas,
        [0, 0, wide, 150],
        [[132, 178, 214], [206, 224, 234]],
    );
    down(canvas, [0, 150, wide, 470], [[178, 104, 82], [150, 86, 68]]);
    for (row, y) in (150..470).step_by(32).enumerate() {
        rectangle(canvas, [0, y, wide, y + 3], [206, 190, 176]);
        let shift = if row % 2 == 0 { 0 } else { 40 };
        for x in (shift..wide).step_by(80) {
            rectangle(canvas, [x, y, x + 3, y + 32], [206, 190, 176]);
        }
    }
    down(
        canvas,
        [0, 470, wide, high],
        [[170, 170, 164], [132, 132, 126]],
    );
    let cage = [250, 170, 720, 640];
    canvas.wash(&Shape::Rectangle(cage), Fill::Plain([30, 40, 36]), 35);
    cylinder(canvas, [380, 620], 170, BLUE);
    cylinder(canvas, [590, 620], 170, STEEL);
    let [left, top, right, bottom] = cage;
    for x in (left..=right).step_by(47) {
        rectangle(canvas, [x - 4, top, x + 4, bottom], [38, 122, 84]);
    }
    for y in [top, i32::midpoint(top, bottom), bottom] {
        rectangle(canvas, [left - 8, y - 8, right + 8, y + 8], [30, 100, 68]);
    }
    // A green plate with a tick: checked.
    rectangle(canvas, [770, 230, 910, 370], [34, 140, 84]);
    canvas.line([795, 300], [828, 336], 18, [250, 250, 246]);
    canvas.line([824, 336], [888, 262], 18, [250, 250, 246]);
}

fn wheel(canvas: &mut Canvas, [x, y]: Point, radius: i32, behind: Rgb) {
    let around = |radius: i32| [x - radius, y - radius, x + radius, y + radius];
    oval(canvas, around(radius), [30, 30, 32]);
    oval(canvas, around(radius * 8 / 10), [150, 154, 156]);
    oval(canvas, around(radius * 72 / 100), behind);
    for to in [
        [radius, 0],
        [0, radius],
        [radius * 7 / 10, radius * 7 / 10],
        [radius * 7 / 10, -radius * 7 / 10],
    ] {
        let to = to.map(|side| side * 7 / 10);
        canvas.line(
            [x - to[0], y - to[1]],
            [x + to[0], y + to[1]],
            3,
            [120, 124, 126],
        );
    }
    oval(canvas, around(radius / 5), [60, 62, 64]);
}

fn stairwell(canvas: &mut Canvas) {
    let (wide, high) = (i32::from(WIDTH), i32::from(HEIGHT));
    down(
        canvas,
        [0, 0, wide, 560],
        [[220, 214, 196], [196, 190, 172]],
    );
    rectangle(canvas, [0, 330, wide, 560], [134, 160, 142]);
    down(
        canvas,
        [0, 560, wide, high],
        [[138, 134, 128], [108, 104, 98]],
    );
    for step in 0..9 {
        let (x, y) = (560 + step * 50, 540 - step * 56);
        down(
            canvas,
            [x, y, wide, y + 56],
            [[176, 170, 160], [126, 120, 112]],
        );
        rectangle(canvas, [x, y, wide, y + 6], [206, 200, 190]);
    }
    // The cable comes down from the flat above and lies on the floor.
    for ends in [[470, 0], [462, 190], [500, 360], [440, 500], [400, 520]].windows(2) {
        canvas.line(ends[0], ends[1], 9, [240, 240, 236]);
    }
    rectangle(canvas, [354, 492, 424, 546], [40, 40, 44]);
    oval(canvas, [366, 506, 380, 520], [226, 52, 40]);
    shadow(canvas, [60, 610, 640, 680]);
    let behind = [122, 142, 128];
    wheel(canvas, [170, 560], 96, behind);
    wheel(canvas, [520, 560], 96, behind);
    let frame = [24, 96, 150];
    canvas.line([170, 560], [250, 430], 22, frame);
    canvas.line([250, 520], [430, 520], 44, frame);
    canvas.line([430, 520], [470, 330], 22, frame);
    canvas.line([520, 560], [452, 330], 18, [70, 74, 78]);
    canvas.line([250, 520], [250, 430], 30, frame);
    rectangle(canvas, [166, 396, 320, 430], [44, 36, 34]);
    rectangle(canvas, [276, 446, 378, 506], [56, 58, 62]);
    canvas.line([424, 306], [500, 296], 14, [40, 40, 42]);
    oval(canvas, [474, 330, 512, 370], [240, 232, 190]);
    canvas.line([378, 480], [400, 520], 8, [240, 240, 236]);
}

/// A street with houses and a carriageway.
fn street(canvas: &mut Canvas) {
    let (wide, high) = (i32::from(WIDTH), i32::from(HEIGHT));
    down(
        canvas,
        [0, 0, wide, 500],
        [[120, 164, 206], [222, 232, 236]],
    );
    for (left, top, shade) in [
        (0, 210, 150),
        (190, 150, 168),
        (600, 230, 158),
        (800, 130, 176),
    ] {
        rectangle(
            canvas,
            [left, top, left + 200, 500],
            [shade, shade - 10, shade - 22],
        );
        for y in (top + 24..470).step_by(54) {
            for x in (left + 20..left + 180).step_by(44) {
                rectangle(canvas, [x, y, x + 24, y + 30], [92, 112, 128]);
            }
        }
    }
    down(
        canvas,
        [0, 500, wide, high],
        [[168, 164, 156], [140, 136, 128]],
    );
    down(canvas, [0, 620, wide, high], [[84, 84, 86], [64, 64, 66]]);
    for x in (20..wide).step_by(190) {
        rectangle(canvas, [x, 664, x + 100, 676], [226, 226, 216]);
    }
}

fn cables(canvas: &mut Canvas) {
    let wide = i32::from(WIDTH);
    street(canvas);
    canvas.paint(
        &Shape::Rectangle([440, 40, 476, 610]),
        Fill::Across([[92, 88, 84], [176, 172, 166], [84, 80, 76]]),
    );
    rectangle(canvas, [370, 90, 546, 106], [70, 66, 62]);
    rectangle(canvas, [390, 150, 526, 164], [70, 66, 62]);
    rectangle(canvas, [476, 200, 530, 290], [110, 114, 116]);
    let low = [(96, 420, 0), (104, 468, 20), (158, 560, 60), (162, 598, 90)];
    for (from, deep, aside) in low {
        // One cable sags on each side, down to the pavement.
        let left = [
            [440, from],
            [300 - aside, i32::midpoint(from, deep) + 60],
            [190 - aside / 2, deep],
            [60, deep - 130],
            [0, from + 30],
        ];
        let right = [
            [476, from],
            [600 + aside, i32::midpoint(from, deep) + 40],
            [720 + aside, deep],
            [860, deep - 120],
            [wide, from + 20],
        ];
        for way in [left, right] {
            for ends in way.windows(2) {
                canvas.line(ends[0], ends[1], 6, [24, 24, 26]);
            }
        }
    }
    for ends in [[300, 590], [350, 560], [410, 596], [470, 570], [540, 606]].windows(2) {
        canvas.line(ends[0], ends[1], 8, [24, 24, 26]);
    }
    polygon(
        canvas,
        &[[150, 616], [196, 530], [242, 616]],
        [240, 186, 32],
    );
    rectangle(canvas, [190, 556, 202, 590], DARK);
    oval(canvas, [189, 594, 203, 608], DARK);
}

fn carton(canvas: &mut Canvas, [left, top, right, bottom]: Bounds) {
    let deep = 26;
    let lid = [
        [left, top],
        [left + deep, top - deep],
        [right + deep, top - deep],
        [right, top],
    ];
    polygon(canvas, &lid, [206, 168, 118]);
    let side = [
        [right, top],
        [right + deep, top - deep],
        [right + deep, bottom - deep],
        [right, bottom],
    ];
    polygon(canvas, &side, [138, 102, 62]);
    down(
        canvas,
        [left, top, right, bottom],
        [[188, 146, 96], [166, 124, 76]],
    );
    let middle = i32::midpoint(left, right);
    rectangle(
        canvas,
        [middle - 12, top, middle + 12, top + 46],
        [222, 202, 150],
    );
    rectangle(
        canvas,
        [left + 24, bottom - 50, left + 90, bottom - 22],
        [236, 232, 222],
    );
}

fn cartons(canvas: &mut Canvas) {
    let (wide, high) = (i32::from(WIDTH), i32::from(HEIGHT));
    down(
        canvas,
        [0, 0, wide, 560],
        [[222, 220, 210], [192, 190, 180]],
    );
    down(
        canvas,
        [0, 560, wide, high],
        [[128, 124, 118], [98, 94, 90]],
    );
    // The switch box: door, handle, cable and the sign for high voltage.
    canvas.line([720, 0], [720, 170], 22, [90, 92, 94]);
    canvas.paint(&Shape::Rectangle([570, 150, 870, 520]), Fill::Across(STEEL));
    rectangle(canvas, [590, 170, 850, 500], [168, 176, 180]);
    rectangle(canvas, [820, 300, 836, 372], DARK);
    polygon(
        canvas,
        &[[700, 200], [790, 350], [610, 350]],
        [244, 196, 36],
    );
    polygon(
        canvas,
        &[
            [712, 240],
            [676, 300],
            [702, 300],
            [688, 340],
            [730, 280],
            [704, 280],
        ],
        DARK,
    );
    shadow(canvas, [80, 640, 780, 710]);
    carton(canvas, [110, 450, 340, 670]);
    carton(canvas, [370, 470, 580, 680]);
    carton(canvas, [170, 260, 390, 450]);
    carton(canvas, [410, 320, 560, 470]);
    carton(canvas, [610, 530, 770, 690]);
}
