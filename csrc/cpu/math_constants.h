#pragma once
// Coefficients of math.h's approximations, per element type. The polynomials are near-minimax fits (Lawson's
// reweighted least squares in 320-bit arithmetic, coefficients then rounded one after another, the later ones
// refitted to each rounding), lowest degree first. The error beside each is the fit's largest, relative to
// the function, before rounding in evaluation.

#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace math {

using namespace simd;  // the functions below read as formulas

template <class T>
struct FloatFormat;
template <>
struct FloatFormat<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr int kBias = 127;
  static constexpr float kSmallestNormal = 0x1p-126f;
  static constexpr float kInfinity = __builtin_inff();
  static constexpr float kNaN = __builtin_nanf("");
  // Adding this rounds |x| < 2^22 to an integer, nearest even, and leaves it in the low mantissa bits.
  static constexpr float kRounder = 0x1.8p23f;
};
template <>
struct FloatFormat<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr int kBias = 1023;
  static constexpr double kSmallestNormal = 0x1p-1022;
  static constexpr double kInfinity = __builtin_inf();
  static constexpr double kNaN = __builtin_nan("");
  static constexpr double kRounder = 0x1.8p52;
};

// ln 2 = high + low, high short enough for n * high to be exact for every exponent n.
template <class T>
struct Ln2;
template <>
struct Ln2<float> {
  static constexpr float kHigh = 0x1.62ep-1f;
  static constexpr float kLow = 0x1.0bfbe8p-15f;
};
template <>
struct Ln2<double> {
  static constexpr double kHigh = 0x1.62e42fefp-1;
  static constexpr double kLow = 0x1.473de6af278edp-34;
};

// e^r = 1 + r + r^2 q(r) for |r| <= ln(2)/2; errors of r^2 q(r) relative to e^r - 1: 2^-26.1, 2^-61.6.
template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float kLog2e = 0x1.715476p0f;
  // Beyond these exp is 0 or infinity, beyond kLowestMinusOne expm1 is -1, below kTiny it is x.
  static constexpr float kLowest = -104, kHighest = 89, kLowestMinusOne = -20, kTiny = 0x1p-25f;
  static constexpr float kSaturated = 10;  // tanh is 1 from here on
  static constexpr float kPoly[] = {0x1p-1f, 0x1.5554aep-3f, 0x1.5554ep-5f, 0x1.1228fp-7f, 0x1.6d5698p-10f};
};
template <>
struct ExpConstants<double> {
  static constexpr double kLog2e = 0x1.71547652b82fep0;
  static constexpr double kLowest = -746, kHighest = 710, kLowestMinusOne = -40, kTiny = 0x1p-54;
  static constexpr double kSaturated = 20;
  static constexpr double kPoly[] = {0x1p-1,
                                     0x1.5555555555559p-3,
                                     0x1.5555555555558p-5,
                                     0x1.111111110f642p-7,
                                     0x1.6c16c16c14f51p-10,
                                     0x1.a01a01b00fcc3p-13,
                                     0x1.a01a01ade1004p-16,
                                     0x1.71ddf7e7886c1p-19,
                                     0x1.27e4caf4aba7bp-22,
                                     0x1.af5f7e03de1dfp-26,
                                     0x1.1f8ded80357d4p-29};
};

// 2 atanh(s) = 2 s + s^3 g(s^2) for |s| <= (sqrt 2 - 1)/(sqrt 2 + 1): errors 2^-30.1, 2^-59.5 of it.
template <class T>
struct LogConstants;
template <>
struct LogConstants<float> {
  static constexpr float kPoly[] = {0x1.55557ap-1f, 0x1.995ec4p-2f, 0x1.31e3bp-2f};
};
template <>
struct LogConstants<double> {
  static constexpr double kPoly[] = {0x1.5555555555593p-1, 0x1.999999997f996p-2, 0x1.24924942334dfp-2,
                                     0x1.c71c51ce3a8cdp-3, 0x1.74664c07a315p-3,  0x1.39a050a10227ep-3,
                                     0x1.2f14816f8729fp-3};
  // The same with the first coefficient exactly 2/3 = high + low, g(z) = 2/3 + z h(z): error 2^-73.2.
  static constexpr double kTwoThirdsHigh = 0x1.5555555555555p-1, kTwoThirdsLow = 0x1.5555555555555p-55;
  static constexpr double kPairPoly[] = {0x1.9999999999995p-2, 0x1.249249249315ap-2, 0x1.c71c71c562569p-3,
                                         0x1.745d183f17073p-3, 0x1.3b135fa434253p-3, 0x1.112121b130903p-3,
                                         0x1.de2395c2dad87p-4, 0x1.eb8c647828404p-4};
};

// erf(a) = a + a p(a^2) below kSplit: errors 2^-26.1, 2^-56.1. From there on 1 - e^g(a - kCentre), g the
// logarithm of erfc: errors of erf 2^-29.1, 2^-61.6. From kSaturated on erf is 1.
template <class T>
struct ErfConstants;
template <>
struct ErfConstants<float> {
  static constexpr float kSplit = 0.9f, kCentre = 0, kSaturated = 4;
  static constexpr float kSmall[] = {0x1.06eba6p-3f,  -0x1.8126f4p-2f, 0x1.ce1d3cp-4f,
                                     -0x1.b6b80ep-6f, 0x1.485472p-8f,  -0x1.3ed2b6p-11f};
  static constexpr float kLogErfc[] = {-0x1.5cf65ap-13f, -0x1.20b756p+0f, -0x1.4621aap-1f, -0x1.aa73acp-4f,
                                       0x1.6d9e26p-6f,   -0x1.91d02ap-9f, 0x1.9fb918p-13f};
};
template <>
struct ErfConstants<double> {
  static constexpr double kSplit = 1, kCentre = 2.5, kSaturated = 6;
  static constexpr double kSmall[] = {0x1.06eba8214db68p-3,   -0x1.812746b0379b2p-2,  0x1.ce2f21a0408dp-4,
                                      -0x1.b82ce311ee02fp-6,  0x1.565bccf7e16c9p-8,   -0x1.c02db0146db63p-11,
                                      0x1.f9a2b7505f02bp-14,  -0x1.f4ca1ffef2cdcp-17, 0x1.b97e4116841e8p-20,
                                      -0x1.5bfe632705389p-23, 0x1.d6e35940362fap-27,  -0x1.ab14389177e97p-31};
  static constexpr double kLogErfc[] = {
      -0x1.f3a2dc8691b92p+2,  -0x1.56925248da94p+2,   -0x1.e3460a18c54cap-1,  -0x1.63cc1da781e4ap-7,
      0x1.1bd558ec0301ap-9,   -0x1.b96139829d6f6p-12, 0x1.431731e72bdd3p-14,  -0x1.ac03c6cb6e016p-17,
      0x1.dadc4528d8982p-20,  -0x1.4ef22434aac4p-23,  -0x1.b1d47218bbc28p-27, 0x1.775aa1ca3e2b7p-27,
      -0x1.e13567fea3df7p-29, 0x1.d43661569666ep-31,  -0x1.69fbfff12c312p-33, 0x1.4519f862bb4a4p-36,
      -0x1.0f1dfdd7ffb41p-39, 0x1.5de89f06a5094p-41,  0x1.016284afde297p-41,  -0x1.91604081578dap-43};
};

// sin(2 pi f) = 2 pi f + f^3 s(f^2) and cos(2 pi f) = 1 + f^2 c(f^2) for |f| <= 1/8: errors below 2^-30.9,
// 2^-61.2. 2 pi = high + low.
template <class T>
struct SinCosConstants;
template <>
struct SinCosConstants<float> {
  static constexpr float kTwoPiHigh = 0x1.921fb6p+2f, kTwoPiLow = -0x1.777a5cp-23f;
  static constexpr float kSin[] = {-0x1.4abbcep+5f, 0x1.466b82p+6f, -0x1.32b458p+6f, 0x1.465b3ep+5f};
  static constexpr float kCos[] = {-0x1.3bd3ccp+4f, 0x1.03c1b6p+6f, -0x1.55b684p+6f, 0x1.d61e3cp+5f};
};
template <>
struct SinCosConstants<double> {
  static constexpr double kTwoPiHigh = 0x1.921fb54442d18p+2, kTwoPiLow = 0x1.1a62633145c07p-52;
  static constexpr double kSin[] = {-0x1.4abbce625be53p+5, 0x1.466bc6775ab5ep+6,  -0x1.32d2cce636548p+6,
                                    0x1.50783495425c6p+5,  -0x1.e30760c0c5e38p+3, 0x1.e8fdb21a28966p+1,
                                    -0x1.70719f507354fp-1};
  static constexpr double kCos[] = {-0x1.3bd3cc9be45dep+4, 0x1.03c1f081b5a64p+6,  -0x1.55d3c7e3c2b3ap+6,
                                    0x1.e1f5067ac9008p+5,  -0x1.a6d1e68539ea9p+4, 0x1.f9c81c765172ap+2,
                                    -0x1.b140c00b43732p+0};
};

// c[0] + c[1] x + c[2] x^2 + ... by Horner's rule.
template <int first = 0, class V, class T, std::size_t n>
[[gnu::always_inline]] inline V polynomial(V x, const T (&c)[n]) {
  if constexpr (first + 1 == n)
    return splat<T>(c[first]);
  else
    return fma(polynomial<first + 1>(x, c), x, splat<T>(c[first]));
}

}  // namespace math
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
