package node

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/carrier"
)

// A sender is a sendWatch in virtual time.
type sender struct {
	sendWatch
	now      time.Time
	failures [carrier.Causes]carrier.Failure
	log      bytes.Buffer
}

func newSender() *sender {
	s := &sender{now: time.Unix(1000, 0)}
	s.sendWatch.log = NewLog(nil, &s.log, nil)
	return s
}

// seconds lets seconds pass in each of which n datagrams fail for a cause.
func (s *sender) seconds(count int, cause carrier.Cause, n uint64) {
	for range count {
		s.second(cause, n)
	}
}

// second lets a second pass in which n datagrams fail for a cause.
func (s *sender) second(cause carrier.Cause, n uint64) {
	s.now = s.now.Add(time.Second)
	if n > 0 {
		f := &s.failures[cause]
		f.Count, f.To, f.Err = f.Count+n, netip.MustParseAddrPort("10.0.0.2:6969"), syscall.EPERM
	}
	s.every(s.now, s.failures, func(f func()) bool { f(); return true })
}

// lines returns the number of lines so far.
func (s *sender) lines() int { return strings.Count(s.log.String(), "[WARN] gwyh: ") }

func TestWriteErrorsThatGoOnAreWarnedOf(t *testing.T) {
	for cause, words := range map[carrier.Cause]string{
		carrier.Forbidden: "firewall", carrier.NoRoute: "no route", carrier.NoRoom: "too slow", carrier.Other: "sending fails",
	} {
		t.Run(words, func(t *testing.T) {
			s := newSender()
			s.seconds(10, cause, 3)
			if s.lines() != 1 || !strings.Contains(s.log.String(), words) {
				t.Errorf("%d lines, want 1 with %q:\n%s", s.lines(), words, &s.log)
			}
			if w := s.present(); len(w) != 1 || !strings.Contains(w[0], "(30 datagrams so far, the last one to 10.0.0.2:6969: operation not permitted)") {
				t.Errorf("warnings %q", w)
			}
		})
	}
}

func TestLineAboutWriteErrorsIsRepeatedEachMinute(t *testing.T) {
	s := newSender()
	s.seconds(300, carrier.Forbidden, 1)
	if got := s.lines(); got != 5 {
		t.Errorf("%d lines in five minutes, want 5:\n%s", got, &s.log)
	}
}

func TestWriteErrorsThatEndByThemselvesAreNoWarning(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause carrier.Cause
		times int
		bad   int    // seconds in each of which datagrams fail
		each  uint64 // datagrams that fail in such a second
		good  int    // seconds after that without a failure
	}{
		{"single errors", carrier.NoRoute, 3, 1, 1, 120},
		{"bursts that fill the buffer of the system", carrier.NoRoom, 20, 5, 1000, 3},
		{"datagrams that measure the path", carrier.TooBig, 1, 100, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSender()
			for range c.times {
				s.seconds(c.bad, c.cause, c.each)
				s.seconds(c.good, c.cause, 0)
			}
			if w := s.present(); len(w) > 0 {
				t.Errorf("warnings %q", w)
			}
			if s.lines() > 0 {
				t.Errorf("log %s", &s.log)
			}
		})
	}
}

func TestWarningOfWriteErrorsEndsWithThem(t *testing.T) {
	s := newSender()
	s.seconds(10, carrier.Forbidden, 1)
	s.seconds(59, carrier.Forbidden, 0)
	if w := s.present(); len(w) != 1 {
		t.Errorf("after 59 s without errors: %q", w)
	}
	s.second(carrier.Forbidden, 0)
	if w := s.present(); len(w) > 0 {
		t.Errorf("after a minute without errors: %q", w)
	}
}

func TestLineAboutWriteErrorsWaitsForRoomInTheQueue(t *testing.T) {
	s := newSender()
	full := true
	for range 5 {
		s.now = s.now.Add(time.Second)
		s.failures[carrier.Other].Count++
		s.failures[carrier.Other].Err = fmt.Errorf("no")
		s.every(s.now, s.failures, func(f func()) bool {
			if !full {
				f()
			}
			return !full
		})
		full = s.lines() > 0 || s.failures[carrier.Other].Count < 4
	}
	if s.lines() != 1 {
		t.Errorf("%d lines, want 1", s.lines())
	}
}
