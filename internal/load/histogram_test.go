package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Buckets follow one another without a gap, and every value is in its own.
func TestBuckets(t *testing.T) {
	for i := range len(Histogram{}.counts) - 1 {
		last := largestIn(i)
		if last > math.MaxInt64 {
			t.Fatalf("bucket %d is past the largest duration", i)
		}
		if bucketOf(last) != i || bucketOf(last+1) != i+1 {
			t.Fatalf("%d is in bucket %d, %d in %d; want %d and %d", last, bucketOf(last), last+1, bucketOf(last+1), i, i+1)
		}
	}
	if got := bucketOf(math.MaxInt64); got != len(Histogram{}.counts)-1 {
		t.Errorf("the largest duration is in bucket %d", got)
	}
}

func TestQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h, half Histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(math.Exp(random.Float64() * 20))
		all = append(all, d)
		if i%2 == 0 {
			h.Add(d, 1)
		} else {
			half.Add(d, 1)
		}
	}
	h.Merge(&half)
	slices.Sort(all)
	for _, q := range []float64{0, .5, .9, .99, .999, 1} {
		exact := all[max(int(math.Ceil(q*10_000))-1, 0)]
		got := h.Quantile(q)
		if got < exact || float64(got) > float64(exact)*(1+1./32)+1 {
			t.Errorf("quantile %v is %d, exactly %d", q, got, exact)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != 10_000 {
		t.Errorf("max %v of %d", h.Max(), h.Count())
	}
	if got := new(Histogram).Quantile(.5); got != 0 {
		t.Errorf("of none: %v", got)
	}
}
