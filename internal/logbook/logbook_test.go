package logbook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var begin = time.Unix(1000, 0)

func TestLinesOfATopicAreBounded(t *testing.T) {
	for topic := range Topics {
		t.Run(topics[topic].leftOut, func(t *testing.T) {
			b := New()
			var lines []string
			now := begin
			for range 10 { // one interval
				for range 1000 {
					lines = b.Append(lines, now, topic, "%d", topic)
				}
				now = now.Add(time.Second)
			}
			if len(lines) != topic.bound() {
				t.Errorf("%d lines for 10,000 in ten seconds, want %d", len(lines), topic.bound())
			}
			if next := b.NextTimeout(); !next.Equal(begin.Add(Interval)) {
				t.Errorf("the next timeout is at %v, want %v", next, begin.Add(Interval))
			}
			last := b.Tick(nil, b.NextTimeout())
			want := fmt.Sprintf("[%s] gwyh: and %d more %s", topics[topic].level, 10_000-topic.bound(), topics[topic].leftOut)
			if !slices.Equal(last, []string{want}) {
				t.Errorf("summed up as %q, want %q", last, want)
			}
			if next := b.NextTimeout(); !next.IsZero() {
				t.Errorf("a timeout at %v after all was summed up", next)
			}
		})
	}
}

func TestTopicsHaveBoundsOfTheirOwn(t *testing.T) {
	b := New()
	for range 100 {
		b.Append(nil, begin, Failed, "one")
	}
	if got := b.Append(nil, begin, Joined, "member %q joined", "a"); !slices.Equal(got, []string{`[INFO] gwyh: member "a" joined`}) {
		t.Errorf("wrote %q", got)
	}
}

func TestNextLineOfATopicComesAfterTheCountOfThoseLeftOut(t *testing.T) {
	b := New()
	for range infoLines + 3 {
		b.Append(nil, begin, Left, "gone")
	}
	got := b.Append(nil, begin.Add(Interval), Left, "another")
	if want := []string{"[INFO] gwyh: and 3 more members left", "[INFO] gwyh: another"}; !slices.Equal(got, want) {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestTickSumsUpOnlyWhatIsDue(t *testing.T) {
	b := New()
	fill := func(now time.Time, topic Topic) {
		for range topic.bound() + 1 {
			b.Append(nil, now, topic, "x")
		}
	}
	fill(begin, Joined)
	fill(begin.Add(time.Second), Link)
	if got := b.Tick(nil, begin.Add(Interval-1)); got != nil {
		t.Errorf("too early: %q", got)
	}
	if got := b.Tick(nil, begin.Add(Interval)); !slices.Equal(got, []string{"[INFO] gwyh: and 1 more members joined"}) {
		t.Errorf("wrote %q", got)
	}
	if next, want := b.NextTimeout(), begin.Add(Interval+time.Second); !next.Equal(want) {
		t.Errorf("the next timeout is at %v, want %v", next, want)
	}
}

func TestWarningsOfAKindAreOneInAnInterval(t *testing.T) {
	b := New()
	warn := func(after time.Duration, kind string) []string {
		return b.AppendWarning(nil, begin.Add(after), kind, "%s at %v", kind, after)
	}
	for _, x := range []struct {
		after time.Duration
		kind  string
		want  string // empty for no line
	}{
		{0, "a", "[WARN] gwyh: a at 0s"},
		{time.Second, "a", ""},
		{2 * time.Second, "b", "[WARN] gwyh: b at 2s"},
		{3 * time.Second, "a", ""},
		{Interval, "a", "[WARN] gwyh: a at 10s (and 2 more like it)"},
		{2 * Interval, "a", "[WARN] gwyh: a at 20s"},
	} {
		if got := strings.Join(warn(x.after, x.kind), "\n"); got != x.want {
			t.Errorf("%s after %v: %q, want %q", x.kind, x.after, got, x.want)
		}
	}
	if next := b.NextTimeout(); !next.IsZero() {
		t.Errorf("a timeout at %v", next)
	}
}

func TestKindsOfWarningsAreBounded(t *testing.T) {
	b := New()
	for i := range 10 * kinds {
		b.AppendWarning(nil, begin, fmt.Sprint(i), "x")
	}
	if n := b.warnings.Len(); n != kinds {
		t.Errorf("%d kinds are remembered, want %d", n, kinds)
	}
}

func TestEveryTopicHasALevelAndAName(t *testing.T) {
	for topic := range Topics {
		if !slices.Contains([]string{"DEBUG", "INFO", "WARN"}, topics[topic].level) {
			t.Errorf("topic %d has the level %q", topic, topics[topic].level)
		}
		if topics[topic].leftOut == "" {
			t.Errorf("topic %d has no name", topic)
		}
	}
}
