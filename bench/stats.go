package main

import (
	"slices"
	"time"
)

// median is the middle value; of an even number, the mean of the middle two. 0 of
// none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// quantile is the smallest value that a share q of the sorted values doesn't
// exceed; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// A spread is what the rounds of one figure gave.
type spread []float64

func (s spread) median() float64 { return median(s) }

// ratios are the figures of two contenders, round by round.
func ratios(of, to spread) spread {
	var r spread
	for i := range min(len(of), len(to)) {
		r = append(r, of[i]/to[i])
	}
	return r
}
