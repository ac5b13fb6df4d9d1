package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
)

func TestWarningsOfKeysNameTheOptionsOfAnAgentEverywhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no key":    {[]string{"-insecure"}, "GWYH_KEY"},
		"short key": {[]string{"-key", "text:short"}, "gwyh keygen"},
		"one byte":  {[]string{"-key", "text:aaaaaaaaaaaaaaaa"}, "gwyh keygen"},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := config.Parse(append([]string{"-bind", "127.0.0.1:0"}, c.args...), func(string) string { return "" })
			if err != nil {
				t.Fatal(err)
			}
			a, err := Start(parsed, NewLog(io.Discard, "info", false), "")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = a.Close(false) }()
			if w := a.Warnings(); len(w) != 1 || !strings.Contains(w[0].Text, c.want) {
				t.Errorf("API: %+v", w)
			}
			r := httptest.NewRecorder()
			a.page().ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/", nil))
			if !strings.Contains(r.Body.String(), c.want) {
				t.Errorf("the page lacks %q", c.want)
			}
			if strings.Contains(r.Body.String(), "Config.SecretKey") {
				t.Error("the page names fields of the library")
			}
			if l := a.Log(); !slices.ContainsFunc(l, func(l api.LogLine) bool { return l.Level == "WARN" && strings.Contains(l.Text, c.want) }) {
				t.Errorf("log: %+v", l)
			}
		})
	}
}

func TestLogKeepsItsLastLinesWithTheirAttributes(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out, "info", false)
	lines := slog.New(l).With("a", "b c")
	lines.Debug("not written")
	for i := range kept + 1 {
		lines.Warn("line", "i", i)
	}
	got := l.Lines()
	if len(got) != kept || got[0].Text != `line a="b c" i=1` || got[kept-1].Text != fmt.Sprintf(`line a="b c" i=%d`, kept) || got[0].Level != "WARN" {
		t.Errorf("%d lines, %+v ... %+v", len(got), got[0], got[len(got)-1])
	}
	if n := strings.Count(out.String(), "\n"); n != kept+1 {
		t.Errorf("%d lines written", n)
	}
}

func TestLogLinesAreReadAsTheyAre(t *testing.T) {
	var out bytes.Buffer
	lines := slog.New(NewLog(&out, "info", false))
	lines.Warn("member \"bob\" (127.0.0.1:7002) joined\nnext\x1b\u202e", "n", 1, "error", "a\x1b b", "empty", "")
	time, text, _ := strings.Cut(strings.TrimSuffix(out.String(), "\n"), " ")
	if want := `WARN  member "bob" (127.0.0.1:7002) joined\nnext\x1b\u202e n=1 error="a\x1b b" empty=`; text != want {
		t.Errorf("%s\nwant %s", text, want)
	}
	if len(time) < len("2006-01-02T15:04:05.000Z") {
		t.Errorf("time %q", time)
	}
}

func TestLogAsJSONHasOneObjectForEachLine(t *testing.T) {
	var out bytes.Buffer
	slog.New(NewLog(&out, "info", true)).With("a", 1).WithGroup("g").Warn(`say "x"`, "b", 2)
	var line struct {
		Level, Msg string
		A          int
		G          struct{ B int }
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", out.String(), err)
	}
	if line.Level != "WARN" || line.Msg != `say "x"` {
		t.Errorf("level %s, message %q", line.Level, line.Msg)
	}
	if line.A != 1 || line.G.B != 2 {
		t.Errorf("attributes a=%d, g.b=%d, want 1 and 2", line.A, line.G.B)
	}
}
