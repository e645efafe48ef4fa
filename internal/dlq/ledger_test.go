package dlq

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// A ledger comes back from its metadata, and knows of every letter whether it is settled.
func TestLedger(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var marks []mark
		for offset := random.Int64N(5); offset < 500; offset += 1 + random.Int64N(3)*random.Int64N(80) {
			marks = append(marks, mark{offset, random.IntN(3) > 0})
		}
		l := tally(510, marks)
		text, err := l.metadata()
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseLedger(l.next, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range marks {
			if back.settled(m.offset) != m.settled {
				t.Fatalf("%+v of %+v is not so in %+v", m, marks, back)
			}
		}
		if back.settled(510) {
			t.Fatal("what is to come is settled")
		}
	}
}

func TestLedgerOfNothing(t *testing.T) {
	l := tally(7, nil)
	if text, err := l.metadata(); l.next != 7 || text != "" || err != nil {
		t.Errorf("%+v, %q, %v", l, text, err)
	}
	for _, foreign := range []string{"", "somebody's", "todoctl-dlq/2 AQ"} {
		if l, err := parseLedger(3, foreign); err != nil || l.settled(3) || !l.settled(2) {
			t.Errorf("%q: %+v, %v", foreign, l, err)
		}
	}
	for _, damaged := range []string{"!", "AA", "AQ", "AQE_", "____________8B", "gA"} {
		if l, err := parseLedger(3, metadataPrefix+damaged); err == nil {
			t.Errorf("%q is %+v", damaged, l)
		}
	}
}

// Every second letter is the worst there is: some 1,500 of them fit.
func TestLedgerIsBounded(t *testing.T) {
	alternating := func(n int64) []mark {
		var marks []mark
		for offset := range 2 * n {
			marks = append(marks, mark{offset, offset%2 == 1})
		}
		return marks
	}
	if text, err := tally(3000, alternating(1490)).metadata(); err != nil || len(text) > maxMetadata {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if _, err := tally(3200, alternating(1600)).metadata(); !errors.Is(err, errScattered) || !strings.Contains(err.Error(), "older ones") {
		t.Errorf("too many: %v", err)
	}
}
