package load

import (
	"math/bits"
	"time"
)

// precision is the number of bits that a value keeps: a quantile is at most 1 part
// in 32 too large.
const precision = 5

// A Histogram counts durations in buckets that grow with them (log-linear, as
// HdrHistogram's): its size doesn't depend on how many it has counted. The zero
// value is empty. It is for one goroutine.
type Histogram struct {
	counts [(64 - precision) << precision]int64
	n      int64
	max    time.Duration
}

// Add counts a duration n times. One below zero counts as zero.
func (h *Histogram) Add(d time.Duration, n int64) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))] += n
	h.n += n
	h.max = max(h.max, d)
}

// Merge counts what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// Count is how many were counted.
func (h *Histogram) Count() int64 { return h.n }

// Max is the largest; 0 of none.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is a duration that a share q of those counted, from 0 to 1, doesn't
// exceed; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank, seen := max(int64(q*float64(h.n)+0.999999), 1), int64(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(largestIn(i)), h.max)
		}
	}
	return h.max
}

// bucketOf numbers the buckets: one for each of the first values, then 32 for each
// power of two.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-precision-1, 0)
	return shift<<precision + int(v>>shift)
}

// largestIn is the largest value of a bucket.
func largestIn(i int) uint64 {
	shift := max(i>>precision-1, 0)
	return (uint64(i-shift<<precision)+1)<<shift - 1
}
