//go:build !windows

package handler

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// A journal records the log of the test.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func start(t *testing.T, timeout time.Duration, handlers ...string) (*Runner, *journal) {
	t.Helper()
	var all []Handler
	for _, text := range handlers {
		h, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	j := &journal{}
	return Start(all, timeout, func() api.Member { return api.Member{Name: "me", Addr: "127.0.0.1:1", Zone: "z"} }, slog.New(slog.NewTextHandler(j, nil))), j
}

func joined(name string) api.Event {
	return api.Event{ID: 7, Type: api.MemberJoin, Member: &api.Member{Name: name, Addr: "10.0.0.1:6969", Zone: "z\t1", State: "alive", Meta: []byte("a\\b\nc")}}
}

func message(name, payload string) api.Event {
	return api.Event{Type: api.MessageEvent, Message: &api.Message{Name: name, Origin: "bob", Payload: []byte(payload)}}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCommandGetsTheEventInItsEnvironmentAndOnItsInput(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("GWYH_KEY", "secret")
	r, _ := start(t, time.Minute, fmt.Sprintf("*=(echo $GWYH_EVENT $GWYH_MESSAGE_NAME from $GWYH_MESSAGE_ORIGIN at $GWYH_SELF_NAME key=$GWYH_KEY; cat) >> %s", out))
	r.Handle(joined("ann"))
	r.Handle(message("deploy", "v1\x00\n"))
	r.Stop(time.Minute)
	want := "member-join from at me key=\nann\t10.0.0.1:6969\tz\\t1\talive\ta\\\\b\\nc\nmessage deploy from bob at me key=\nv1\x00\n"
	if got := content(t, out); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if c := r.Counts(); c != (api.Handlers{Run: 2}) {
		t.Errorf("%+v", c)
	}
}

func TestCommandRunsForItsEventsOnlyAndInTheirOrder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r, _ := start(t, time.Minute, "member-join, message:deploy=echo $GWYH_EVENT $GWYH_MESSAGE_NAME >> "+out)
	for range 3 {
		r.Handle(joined("ann"))
		r.Handle(message("other", ""))
		r.Handle(api.Event{Type: api.MemberLeave, Member: &api.Member{}})
		r.Handle(message("deploy", ""))
	}
	r.Stop(time.Minute)
	if got, want := content(t, out), strings.Repeat("member-join\nmessage deploy\n", 3); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFailureAndOutputOfACommandAreLogged(t *testing.T) {
	r, j := start(t, time.Minute, "*=echo so it is; echo too >&2; exit 3")
	r.Handle(joined("ann"))
	r.Stop(time.Minute)
	if c := r.Counts(); c != (api.Handlers{Run: 1, Failed: 1}) {
		t.Errorf("%+v", c)
	}
	for _, want := range []string{`so it is\ntoo`, "exit status 3"} {
		if !strings.Contains(j.String(), want) {
			t.Errorf("%s\nlacks %s", j, want)
		}
	}
}

func TestCommandThatTakesTooLongIsEnded(t *testing.T) {
	r, j := start(t, 50*time.Millisecond, "*=sleep 1000")
	r.Handle(joined("ann"))
	r.Stop(time.Minute)
	if c := r.Counts(); c.Failed != 1 || !strings.Contains(j.String(), "not done within 50ms") {
		t.Errorf("%+v\n%s", c, j)
	}
}

func TestProgramsOfACommandThatIsKilledEndWithIt(t *testing.T) {
	held := filepath.Join(t.TempDir(), "held") // open in the program until it ends
	if err := syscall.Mkfifo(held, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := start(t, time.Hour, "*=(echo up; exec sleep 60) > "+held+" & wait")
	e := joined("bob")
	r.Handle(e)
	f, err := os.Open(held)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.ReadFull(f, make([]byte, len("up\n"))); err != nil {
		t.Fatal(err)
	}
	r.Stop(0)
	ended := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(f)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the program still runs")
	}
}

func TestEventsForASlowCommandAreDroppedAndCounted(t *testing.T) {
	r, j := start(t, time.Minute, "*=sleep 1000")
	const events = queued + 10
	for range events {
		r.Handle(joined("ann"))
	}
	r.Stop(0)
	c := r.Counts()
	if c.Run+c.Dropped != events || c.Run > 1 {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(j.String(), "is too slow") {
		t.Error(j)
	}
}

func TestOutputIsKeptUpToABound(t *testing.T) {
	r, j := start(t, time.Minute, "*=yes | head -c 1000000")
	r.Handle(joined("ann"))
	r.Stop(time.Minute)
	if n := strings.Count(j.String(), "y"); n < outputMax/2-10 || n > outputMax {
		t.Errorf("%d of 500000 lines", n)
	}
}

func TestEnvironmentTakesNoNullBytes(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r, _ := start(t, time.Minute, "*=echo $GWYH_MESSAGE_NAME > "+out)
	r.Handle(message("a\x00b", ""))
	r.Stop(time.Minute)
	if got := content(t, out); got != "ab\n" {
		t.Errorf("%q", got)
	}
}
