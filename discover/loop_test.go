package discover_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/discover"
)

// scripted is a Source that a test changes.
type scripted struct {
	mu        sync.Mutex
	addresses []string
	err       error
	asked     []time.Duration // since begin, of each call of Find
	begin     time.Time
}

func (s *scripted) String() string { return "scripted" }

func (s *scripted) Find(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Since(s.begin))
	return s.addresses, s.err
}

func (s *scripted) set(addresses []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addresses, s.err = addresses, err
}

// joins records the calls of Join, and reaches every address.
type joins struct {
	mu    sync.Mutex
	calls [][]string
	err   error
}

func (j *joins) join(_ context.Context, addresses []string) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, slices.Clone(addresses))
	if j.err != nil {
		return 0, j.err
	}
	return len(addresses), nil
}

// run runs the loop for d in a synctest bubble, and returns the result of Run.
func run(t *testing.T, c discover.Config, d time.Duration) error {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return discover.Run(ctx, c)
}

func TestAddressesAreJoinedAtOnceAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, j := &scripted{addresses: []string{"10.0.0.1:1"}, begin: time.Now()}, &joins{}
		if err := run(t, discover.Config{Sources: []discover.Source{source}, Join: j.join}, 10*time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run returned %v", err)
		}
		if n := len(j.calls); n < 8 || n > 14 {
			t.Errorf("%d joins in ten minutes, want about one a minute", n)
		}
		if source.asked[0] != 0 {
			t.Errorf("the first search came after %v", source.asked[0])
		}
		for i := 1; i < len(source.asked); i++ {
			if d := source.asked[i] - source.asked[i-1]; d < 45*time.Second || d > 75*time.Second {
				t.Errorf("searches %v apart, want 45 s to 75 s", d)
			}
		}
	})
}

func TestTwoLoopsDoNotKeepStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var moments [2][]time.Duration
		for i := range moments {
			source := &scripted{addresses: []string{"10.0.0.1:1"}, begin: time.Now()}
			_ = run(t, discover.Config{Sources: []discover.Source{source}, Join: (&joins{}).join}, 10*time.Minute)
			moments[i] = source.asked[1:]
		}
		if slices.Equal(moments[0], moments[1]) {
			t.Errorf("both asked at %v", moments[0])
		}
	})
}

func TestFailuresAreRepeatedSoonAndThenLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &scripted{err: errors.New("broken"), begin: time.Now()}
		_ = run(t, discover.Config{Sources: []discover.Source{source}, Join: (&joins{}).join}, 3*time.Minute)
		if second := source.asked[1]; second > 1250*time.Millisecond {
			t.Errorf("the second search came after %v, want about a second", second)
		}
		if n := len(source.asked); n > 12 {
			t.Errorf("%d searches in three minutes, want them to become rare", n)
		}
	})
}

func TestMembersAreNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &joins{}
		_ = run(t, discover.Config{
			Sources: []discover.Source{discover.Static{"10.0.0.1:1", "10.0.0.2:1", "[::ffff:10.0.0.3]:1", "[2001:DB8::1]:1", "10.0.0.2:1"}},
			Join:    j.join,
			Members: func() []string { return []string{"10.0.0.1:1", "10.0.0.3:1", "[2001:db8::1]:1"} },
		}, time.Second)
		if len(j.calls) != 1 || !slices.Equal(j.calls[0], []string{"10.0.0.2:1"}) {
			t.Errorf("joined %v, want only the address that is no member's", j.calls)
		}
	})
}

func TestOneSourceThatFailsDoesNotHinderTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &joins{}
		hangs := sourceFunc(func(ctx context.Context) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() })
		_ = run(t, discover.Config{
			Sources: []discover.Source{&scripted{err: errors.New("broken")}, hangs, discover.Static{"10.0.0.1:1"}},
			Join:    j.join,
		}, 11*time.Second)
		if len(j.calls) != 1 || !slices.Equal(j.calls[0], []string{"10.0.0.1:1"}) {
			t.Errorf("joined %v", j.calls)
		}
	})
}

type sourceFunc func(context.Context) ([]string, error)

func (f sourceFunc) Find(ctx context.Context) ([]string, error) { return f(ctx) }
func (f sourceFunc) String() string                             { return "func" }

func TestRoundJoinsNoMoreThanMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var many discover.Static
		for i := range 1000 {
			many = append(many, fmt.Sprintf("10.0.%d.%d:1", i/250, i%250))
		}
		j := &joins{}
		_ = run(t, discover.Config{Sources: []discover.Source{many}, Join: j.join, Max: 7}, 5*time.Minute)
		for _, call := range j.calls {
			if len(call) != 7 {
				t.Errorf("%d addresses joined at once", len(call))
			}
		}
		if slices.Equal(j.calls[0], j.calls[1]) {
			t.Error("both rounds joined the same of 1,000 addresses")
		}
	})
}

func TestSourceThatReturnsTooMuchIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var huge discover.Static
		for i := range 20_000 {
			huge = append(huge, fmt.Sprintf("host-%d:1", i))
		}
		j := &joins{}
		_ = run(t, discover.Config{Sources: []discover.Source{huge}, Join: j.join, Max: len(huge)}, time.Second)
		if n := len(j.calls[0]); n != 10_000 {
			t.Errorf("%d addresses joined, want 10000", n)
		}
	})
}

func TestUnreachableSeedsAreJoinedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &joins{err: errors.New("nobody answers")}
		_ = run(t, discover.Config{Sources: []discover.Source{discover.Static{"10.0.0.1:1"}}, Join: j.join}, 4*time.Second)
		if len(j.calls) < 2 {
			t.Errorf("%d joins in 4 s", len(j.calls))
		}
	})
}

func TestLogReportsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &scripted{err: errors.New("broken")}
		var out bytes.Buffer
		time.AfterFunc(time.Minute, func() { source.set([]string{"10.0.0.1:1"}, nil) })
		_ = run(t, discover.Config{
			Sources: []discover.Source{source},
			Join:    (&joins{}).join,
			Members: func() []string { return []string{"10.0.0.1:1"} },
			Logger:  slog.New(slog.NewTextHandler(&out, nil)),
		}, 10*time.Minute)
		if n := strings.Count(out.String(), "does not work"); n != 1 {
			t.Errorf("%d lines about the failing source, want 1\n%s", n, &out)
		}
		if n := strings.Count(out.String(), "works again"); n != 1 {
			t.Errorf("%d lines about the source that works again, want 1\n%s", n, &out)
		}
	})
}

func TestBadConfigIsRefused(t *testing.T) {
	join, sources := (&joins{}).join, []discover.Source{discover.Static{"10.0.0.1:1"}}
	for want, c := range map[string]discover.Config{
		"Join":     {Sources: sources},
		"Sources":  {Join: join},
		"is nil":   {Join: join, Sources: []discover.Source{nil}},
		"Interval": {Join: join, Sources: sources, Interval: -1},
	} {
		if err := discover.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error about %s", c, err, want)
		}
	}
}

func TestSearchThatCannotBeCanceledIsLeftAloneAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, release := 0, make(chan struct{})
		s := discover.Uncancellable("slow", func() ([]string, error) {
			calls++
			<-release
			return []string{"10.0.0.1:1"}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Find(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("first: %v", err)
		}
		if _, err := s.Find(t.Context()); err == nil || !strings.Contains(err.Error(), "has not ended") {
			t.Errorf("second: %v", err)
		}
		close(release)
		synctest.Wait()
		found, err := s.Find(t.Context())
		if err != nil {
			t.Error(err)
		}
		if !slices.Equal(found, []string{"10.0.0.1:1"}) {
			t.Errorf("found %v", found)
		}
		if calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}
