package main

import (
	"context"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// quick returns the options of a demo of a few seconds, in which crashes are detected sooner.
func quick() options {
	o := defaultOptions()
	o.nodes, o.messages, o.heartbeat = 5, 10, 400*time.Millisecond
	return o
}

func TestDemoShowsItsStoryAndSucceeds(t *testing.T) {
	var out, err strings.Builder
	if code := runWith(t.Context(), quick(), &out, &err); code != exitOK || err.Len() > 0 {
		t.Errorf("exit code %d, error %q", code, err.String())
	}
	narrow(t, out.String())
	for _, want := range []string{
		"5 nodes in 3 zones",
		"✓ 5 nodes created in ",
		"cluster complete after ",
		"each knows the other 4 and has links to at least 4 of them",
		"✓ every message reached each of 4 other nodes, exactly once: 40 deliveries",
		"✓ time to the last node: median ",
		"last node .* messages",
		`✓ \d\.\d copies of a message came to each node`,
		"✓ 1 left gracefully; all others knew it after ",
		"✓ 1 crashed silently; at once the other 3 broadcast 10 messages again",
		"✓ every message reached each of 2 other nodes, exactly once: 20 deliveries",
		"✓ all of them detected the crashes after ",
		`uniform .* \d+ %`, `hub .* \d+ %`, `local .* \d+ %`, `remote .* \d+ %`,
		"Every message reached every node exactly once.",
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("output does not tell %q", want)
		}
	}
	if strings.ContainsAny(out.String(), "\r\x1b") || strings.Contains(out.String(), "✗") || t.Failed() {
		t.Error(out.String())
	}
}

func TestDemoThatIsInterruptedStopsItsNodes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var err strings.Builder
	out := &canceling{at: "2. Broadcast", cancel: cancel}
	if code := runWith(ctx, quick(), out, &err); code != exitFailed || err.String() != "gwyh demo: interrupted\n" {
		t.Errorf("exit code %d, error %q", code, err.String())
	}
	if strings.Contains(out.String(), "✗") || strings.Contains(out.String(), "3. Stop") {
		t.Error(out.String())
	}
}

// canceling is a writer that cancels a context at a write.
type canceling struct {
	strings.Builder
	at     string
	cancel func()
}

func (c *canceling) Write(b []byte) (int, error) {
	if strings.Contains(string(b), c.at) {
		c.cancel()
	}
	return c.Builder.Write(b)
}

func TestRoundEndsAndReportsWhatNeverArrives(t *testing.T) {
	o := quick()
	c, err := newCluster(o, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.shutdown(c.nodes) }()
	var out strings.Builder
	d := &demo{options: o, screen: newScreen(&out), rng: rand.New(rand.NewPCG(1, 1)), cluster: c}
	if _, err := d.unite(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	gone := c.split([]int{4})[0]
	if err := gone.Shutdown(); err != nil {
		t.Fatal(err)
	}
	var missing []*entry
	for range 3 {
		receivers := append([]*node{gone}, c.nodes[1:]...) // one of them is stopped
		e := c.ledger.open(receivers, o.size)
		if err := c.nodes[0].Broadcast(e.message); err != nil {
			t.Fatal(err)
		}
		missing = append(missing, e)
	}
	c.stragglers(t.Context(), 0, slices.Clone(missing), 0)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if !poll(ctx, time.Millisecond, func() bool { return c.ledger.count(0).got == 9 }) {
		t.Errorf("the others did not get it: %+v", c.ledger.count(0))
	}
	if got := c.ledger.count(0); got.complete() || got.short != 3 || got.wanted != 12 {
		t.Errorf("%+v", got)
	}
}

func TestJudgementOfWhatWentWrong(t *testing.T) {
	for _, c := range []struct {
		cover coverage
		want  string // empty: no problem
	}{
		{coverage{wanted: 40, got: 40}, ""},
		{coverage{wanted: 40, got: 39, short: 1}, "✗ 1 delivery missing of 40: 1 message not everywhere"},
		{coverage{wanted: 4800, got: 4000, short: 50}, "✗ 800 deliveries missing of 4,800: 50 messages not everywhere"},
		{coverage{wanted: 40, got: 40, duplicates: 2}, "✗ 2 deliveries of a message to a node that had it already"},
		{coverage{wanted: 40, got: 40, foreign: 1}, "✗ 1 delivery of what was never sent"},
	} {
		var out strings.Builder
		d := &demo{screen: newScreen(&out), cluster: &cluster{}}
		d.judge(&round{coverage: c.cover})
		if d.failed != (c.want != "") || !strings.Contains(out.String(), c.want) || d.failed == strings.Contains(out.String(), "✓") {
			t.Errorf("%+v: failed %v\n%s", c.cover, d.failed, out.String())
		}
	}
}
