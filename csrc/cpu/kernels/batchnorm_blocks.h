#pragma once
// How both directions of batch normalisation walk [batch, channels, length].

#include "core/parallel.h"
#include "cpu/kernels/batchnorm.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

[[gnu::always_inline]] inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Elements of a channel summed at a time: a part of a plane, or several short ones.
inline constexpr int64_t kPlaneBlock = 4096, kShortPlane = 256;
// Where planes are single elements, channels are neighbours: a block of these is handled side by side.
inline constexpr int64_t kChannelBlock = 128;
inline constexpr int64_t kRowBlock = 64;

// A task's part: some channels of some samples.
struct Part {
  int64_t channel_begin, channel_end, batch_begin, batch_end, batch_index;
};

[[gnu::always_inline]] inline int64_t batch_shards(const BatchnormPlan& p) {
  return p.batch == 0 ? 1 : ceil_div(p.batch, p.batch_shard);
}

// A task's planes follow one another only within a sample: what lies a page after short ones is others'.
template <class T>
[[gnu::always_inline]] inline bool fetches_ahead(int64_t length) {
  return length >= 2 * simd::kAhead<T>;
}

template <class Body>
[[gnu::always_inline]] inline void each_part(const BatchnormPlan& p, Body body) {
  if (p.channels == 0) return;
  const int64_t groups = ceil_div(p.channels, p.channel_shard);
  parallel(groups * batch_shards(p), [&](int64_t task) {
    const int64_t c = task % groups * p.channel_shard, n = task / groups * p.batch_shard;
    body(
        Part{c, least(c + p.channel_shard, p.channels), n, least(n + p.batch_shard, p.batch), task / groups});
  });
}

// body(first element, channel) for every plane of a part, a sample's channels in order.
template <class Body>
[[gnu::always_inline]] inline void each_plane(const BatchnormPlan& p, const Part& part, Body body) {
  for (int64_t n = part.batch_begin; n < part.batch_end; ++n) {
    for (int64_t c = part.channel_begin; c < part.channel_end; ++c) {
      body((n * p.channels + c) * p.length, c);
    }
  }
}

// body(first element, channel, planes, elements of each) for the blocks of a part. Short planes are taken
// several at a time: combining the lanes of each would take longer than its sums.
template <class Body>
[[gnu::always_inline]] inline void each_block(const BatchnormPlan& p, const Part& part, Body body) {
  if (p.length >= kShortPlane) {
    return each_plane(p, part, [&](int64_t at, int64_t c) {
      for (int64_t i = 0; i < p.length; i += kPlaneBlock) {
        body(at + i, c, 1, least(kPlaneBlock, p.length - i));
      }
    });
  }
  if (p.length == 0) return;
  const int64_t most = kPlaneBlock / p.length;
  for (int64_t n = part.batch_begin; n < part.batch_end; n += most) {
    for (int64_t c = part.channel_begin; c < part.channel_end; ++c) {
      body((n * p.channels + c) * p.length, c, least(most, part.batch_end - n), p.length);
    }
  }
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
