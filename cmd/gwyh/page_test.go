package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// looking is a writer that fetches the page when the demo is over, and then ends the demo.
type looking struct {
	strings.Builder
	t      *testing.T
	cancel func()
	page   string
}

func (l *looking) Write(b []byte) (int, error) {
	n, err := l.Builder.Write(b)
	if strings.Contains(string(b), "4. Look at the page") {
		l.page = l.fetch(regexp.MustCompile(`http://\S+/`).FindString(l.String()))
		l.cancel()
	}
	return n, err
}

func (l *looking) fetch(url string) string {
	r, err := http.Get(url)
	if err != nil {
		l.t.Error(err)
		return ""
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		l.t.Error(err)
	}
	return string(b)
}

func TestDemoServesThePageOfANodeThatStays(t *testing.T) {
	o := quick()
	o.http, o.messages = "127.0.0.1:0", 2
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var err strings.Builder
	out := &looking{t: t, cancel: cancel}
	if code := runWith(ctx, o, out, &err); code != exitOK || err.Len() > 0 {
		t.Errorf("exit code %d, error %q\n%s", code, err.String(), out.String())
	}
	for _, name := range []string{"node-001", "node-002", "node-005"} {
		if !strings.Contains(out.page, name) {
			t.Errorf("the page does not show %s", name)
		}
	}
	if strings.Contains(out.String(), "5. ") || !strings.Contains(out.String(), "Every message reached every node exactly once.") {
		t.Error(out.String())
	}
}

func TestDemoSaysWhereThePageCannotBeServed(t *testing.T) {
	o := quick()
	o.http = "256.0.0.1:0"
	var out, err strings.Builder
	if code := runWith(t.Context(), o, &out, &err); code != exitFailed || !strings.Contains(err.String(), "-http: listen") {
		t.Errorf("exit code %d, error %q", code, err.String())
	}
}

func TestDemoWarnsOfMoreNodesThanTheMachineCarries(t *testing.T) {
	if got := ambitious(50, 2); got != "" {
		t.Errorf("50 nodes on two CPUs: %q", got)
	}
	got := ambitious(100, 2)
	if want := "That is many for 2 CPUs"; !strings.HasPrefix(got, want) || !strings.Contains(got, "-nodes 20") {
		t.Errorf("%q, want %q", got, want)
	}
	narrow(t, got)
}
