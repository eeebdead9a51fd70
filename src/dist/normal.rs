//! The standard normal distribution's quantiles.
//!
//! Algorithm AS 241, PPND16: M. J. Wichura, "The percentage points of the normal distribution", Applied Statistics 37
//! (1988), 477–484. Relative accuracy about 1e-16; uses nothing but arithmetic, square root and `libm::log`.

#![expect(clippy::excessive_precision, reason = "coefficients and sums are written as the paper prints them")]

/// Returns the number that a standard normal variate stays below with probability `p`.
///
/// Negative infinity at 0, infinity at 1; NaN outside 0..=1.
pub fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&CENTRE, 0.180625 - q * q);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-libm::log(tail)).sqrt();
    let z = if r <= 5.0 { ratio(&SHOULDER, r - 1.6) } else { ratio(&TAIL, r - 5.0) };
    z.copysign(q)
}

/// One of the three rational approximations at `r`, by Horner's rule.
#[inline]
fn ratio([above, below]: &[[f64; 8]; 2], r: f64) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * r + c);
    horner(above) / horner(below)
}

/// For p within 0.425 of one half: the paper's a0..a7 over 1, b1..b7.
const CENTRE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_608_0e0,
        1.331_416_678_917_843_774_5e2,
        1.971_590_950_306_551_442_7e3,
        1.373_169_376_550_946_112_5e4,
        4.592_195_393_154_987_145_7e4,
        6.726_577_092_700_870_085_3e4,
        3.343_057_558_358_812_810_5e4,
        2.509_080_928_730_122_672_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091_125_2e1,
        6.871_870_074_920_579_083_0e2,
        5.394_196_021_424_751_107_7e3,
        2.121_379_430_158_659_586_7e4,
        3.930_789_580_009_271_061_0e4,
        2.872_908_573_572_194_267_4e4,
        5.226_495_278_852_854_561_0e3,
    ],
];

/// For tails from 0.075 down to exp(-25): c0..c7 over 1, d1..d7.
const SHOULDER: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_577_34e0,
        4.630_337_846_156_545_295_90e0,
        5.769_497_221_460_691_405_50e0,
        3.647_848_324_763_204_605_04e0,
        1.270_458_252_452_368_382_58e0,
        2.417_807_251_774_506_117_70e-1,
        2.272_384_498_926_918_458_33e-2,
        7.745_450_142_783_414_076_40e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87e0,
        1.676_384_830_183_803_849_40e0,
        6.897_673_349_851_000_045_50e-1,
        1.481_039_764_274_800_745_90e-1,
        1.519_866_656_361_645_719_66e-2,
        5.475_938_084_995_344_946_00e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
];

/// For the tails below that: e0..e7 over 1, f1..f7.
const TAIL: [[f64; 8]; 2] = [
    [
        6.657_904_643_501_103_777_20e0,
        5.463_784_911_164_114_369_90e0,
        1.784_826_539_917_291_335_80e0,
        2.965_605_718_285_048_912_30e-1,
        2.653_218_952_657_612_309_30e-2,
        1.242_660_947_388_078_438_60e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        5.998_322_065_558_879_376_90e-1,
        1.369_298_809_227_358_053_10e-1,
        1.487_536_129_085_061_485_25e-2,
        7.868_691_311_456_132_591_00e-4,
        1.846_318_317_510_054_681_80e-5,
        1.421_511_758_316_445_888_70e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_published_ones() {
        for (p, z) in [
            (0.5, 0.0),
            (0.75, 0.6744897501960817),
            (0.9, 1.2815515655446004),
            (0.95, 1.6448536269514722),
            (0.975, 1.959963984540054),
            (0.99, 2.3263478740408408),
            (0.999, 3.090232306167813),
            (0.9999, 3.719016485455709),
        ] {
            assert!((quantile(p) - z).abs() <= 1e-14, "{p}: {}", quantile(p));
        }
        // The paper's own check values, one for each approximation.
        for (p, z) in [(0.25, -0.6744897501960817), (0.001, -3.090232306167814), (1e-20, -9.262340089798408)] {
            assert!((quantile(p) / z - 1.0).abs() <= 1e-15, "{p}: {}", quantile(p));
        }
    }

    #[test]
    fn quantiles_are_symmetric_and_infinite_at_the_ends() {
        for n in 1..1000 {
            let p = f64::from(n) / 1024.0;
            assert_eq!(quantile(p), -quantile(1.0 - p));
        }
        assert_eq!([quantile(0.0), quantile(1.0)], [f64::NEG_INFINITY, f64::INFINITY]);
        assert!(quantile(-0.1).is_nan() && quantile(1.1).is_nan() && quantile(f64::NAN).is_nan());
    }

    #[test]
    fn the_approximations_meet_at_their_borders() {
        for border in [0.075, 0.925, libm::exp(-25.0)] {
            let (below, above) = (quantile(border * (1.0 - 1e-15)), quantile(border * (1.0 + 1e-15)));
            assert!((above - below).abs() < 1e-13, "{border}: {below} {above}");
        }
    }

    #[test]
    fn coefficients_have_the_published_sums() {
        // The paper gives the sums of the mantissas of each pair of rows to check the copy by.
        let sums =
            [(&CENTRE, 55.8831928806149014439), (&SHOULDER, 49.33206503301610289036), (&TAIL, 47.52583317549289671629)];
        for (rows, sum) in sums {
            let mantissa = |c: &f64| {
                let text = format!("{c:e}");
                text.split('e').next().and_then(|m| m.parse::<f64>().ok()).unwrap()
            };
            // Without the 1 that stands in for the b0, d0 and f0 that the paper does not have.
            let ours: f64 = rows.iter().flatten().map(mantissa).sum::<f64>() - 1.0;
            assert!((ours - sum).abs() < 1e-12, "{ours} {sum}");
        }
    }
}
