package doctor

import (
	"context"
	"slices"
	"time"
)

// dialTimeout bounds one attempt to reach something, so that a check has time left to
// say what it found.
const dialTimeout = 2 * time.Second

// Checks returns every check, in the order of a report.
func Checks() []Check { return new(subject).checks() }

func (s *subject) checks() []Check {
	return slices.Concat(s.environmentChecks(), s.fileChecks(), s.kafkaFileChecks(), s.referenceChecks(),
		s.brokerChecks(), s.topicChecks(), s.sidecarChecks(), []Check{s.routeCheck()}, s.databaseChecks(), s.eventChecks(), []Check{s.stuckCheck()})
}

// Examine runs the checks that are meant on what the options describe. The words of
// only and skip are ids and groups; see Choose.
func Examine(ctx context.Context, o Options, only, skip []string) (Report, error) {
	if _, err := Choose(Checks(), only, skip); err != nil {
		return Report{}, err
	}
	s, err := newSubject(ctx, o)
	if err != nil {
		return Report{}, err
	}
	defer s.close()
	checks, err := Choose(s.checks(), only, skip)
	if err != nil {
		return Report{}, err
	}
	return Run(ctx, checks, DefaultLimits()), ctx.Err()
}
