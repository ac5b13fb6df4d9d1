package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/agent"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
)

var testKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))

// start starts an agent on loopback and returns the address of its API.
func start(t *testing.T, args ...string) (a *agent.Agent, http string) {
	t.Helper()
	return startWith(t, testKey, args...)
}

// startWith is like start for an agent with a key.
func startWith(t *testing.T, key string, args ...string) (a *agent.Agent, http string) {
	t.Helper()
	c, err := config.Parse(append([]string{"-bind", "127.0.0.1:0", "-key", key, "-profile", "local"}, args...), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if a, err = agent.Start(c, agent.NewLog(io.Discard, "info", false), "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	listener, err := agent.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := a.Serve(listener, c.Token)
	t.Cleanup(func() {
		_ = server.Close()
		_ = a.Close(false)
	})
	return a, server.Addr.String()
}

// command returns a command by its name.
func command(t *testing.T, name string) *Command {
	t.Helper()
	for _, c := range Commands {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no command %s", name)
	return nil
}

// run runs a command line and returns its exit code and output.
func run(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = command(t, args[0]).Run(t.Context(), args[1:], &o, &e)
	return code, o.String(), e.String()
}

// pair starts two agents that know each other. The environment directs the commands to the first.
func pair(t *testing.T) (ann, bob *agent.Agent) {
	t.Helper()
	ann, http := start(t, "-name", "ann", "-zone", "z1")
	bob, _ = start(t, "-name", "bob", "-meta", "tab\there", "-join", ann.Memberlist().LocalNode().Address())
	t.Setenv("GWYH_HTTP", http)
	deadline := time.After(30 * time.Second)
	for ann.Memberlist().NumMembers() < 2 || ann.Memberlist().Stats().Links < 1 {
		select {
		case <-deadline:
			t.Fatal("they do not find each other")
		case <-time.After(time.Millisecond):
		}
	}
	return ann, bob
}

func TestCommandsShowWhatTheAgentKnows(t *testing.T) {
	pair(t)
	for line, want := range map[string]string{ // in any order
		"members":           `(?s)^NAME +ADDRESS .*\nann +127\.0\.0\.1:\d+ +alive +z1 +this node +\S+\nbob +127\.0\.0\.1:\d+ +alive +- .*"tab\\there"\n$`,
		"members -json":     `(?s)^\[\n  \{\n    "name": "ann",.*"self": true`,
		"info":              `(?s)^name +ann\n.*zone +z1\n.*version +v1\.2\.3\n.*health +good\nmembers +2\n.*LINK TO .*\nbob `,
		"info -json":        `(?s)"member": \{.*"links": \[.*"warnings": \[\]`,
		"rtt":               `(?s)^NAME .*\nbob +127\.0\.0\.1:\d+ +- +\d`,
		"rtt bob -count 1":  `(?s)\nbob `,
		"rtt -json":         `"median_ms": \d`,
		"keys":              `^[0-9a-f]{12}  primary\n$`,
		"keys -json":        `"primary": true`,
		"log":               `node started`,
		"broadcast n hello": `^$`,
		"meta newer":        `^$`,
		"version":           `^gwyh `,
		"version -json":     `"go": "go`,
	} {
		code, out, err := run(t, strings.Fields(line)...)
		if code != exitOK || err != "" || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s: code %d, %s\n%s\nwant %s", line, code, err, out, want)
		}
		if strings.HasSuffix(line, "-json") && !json.Valid([]byte(out)) {
			t.Errorf("%s: no JSON\n%s", line, out)
		}
	}
}

func TestAgentWhoseHTTPAddressIsTakenStartsNoNodeAndNamesTheFlag(t *testing.T) {
	taken, err := agent.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	code, _, text := run(t, "agent", "-bind", "127.0.0.1:0", "-http", taken.Addr().String())
	if code != exitFailed || !strings.Contains(text, "-http names another address") {
		t.Errorf("code %d, %s", code, text)
	}
	if strings.Contains(text, "node started") {
		t.Errorf("a node was started: %s", text)
	}
}

func TestCommandsSayWhatWentWrong(t *testing.T) {
	pair(t)
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"rtt nobody":                {exitFailed, `there is no other member "nobody"`},
		"rtt -count 0":              {exitUsage, "-count 0, want 1 to 100"},
		"join 127.0.0.1:1":          {exitFailed, "connection refused"},
		"join":                      {exitUsage, "0 arguments, want at least 1"},
		"leave now":                 {exitUsage, "1 argument, want none"},
		"keys use 000000000000":     {exitFailed, "the agent has no such key"},
		"keys rotate":               {exitUsage, "usage: gwyh keys [add | use FINGERPRINT | remove FINGERPRINT | rotate HTTP-ADDRESS...]"},
		"members -wach":             {exitUsage, "flag provided but not defined: -wach"},
		"members -http 127.0.0.1:1": {exitFailed, "no agent answers at http://127.0.0.1:1"},
		"members -token-file gone":  {exitUsage, "no such file"},
		"agent -nonsense":           {exitUsage, `flag provided but not defined: -nonsense; "gwyh agent -h" lists the options`},
		"events -type member-fail":  {exitFailed, `"member-fail" is not an event type; use one of member-join, member-leave, member-failed, member-update, message`},
	} {
		code, _, err := run(t, strings.Fields(line)...)
		if code != want.code || !strings.Contains(err, want.text) {
			t.Errorf("%s: code %d, %q, want %d, %q", line, code, err, want.code, want.text)
		}
	}
}

// follow runs a command until its output matches.
func follow(t *testing.T, until string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- command(t, args[0]).Run(ctx, args[1:], w, io.Discard)
		_ = w.Close()
	}()
	wanted, text := regexp.MustCompile(until), ""
	b := make([]byte, 4096)
	for !wanted.MatchString(text) {
		n, err := r.Read(b)
		if err != nil {
			t.Fatalf("%q ended with\n%s\nwant %s", args, text, until)
		}
		text += string(b[:n])
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if code := <-ended; code != exitOK {
		t.Errorf("%q: code %d", args, code)
	}
}

// repeat calls f repeatedly until stop is called.
func repeat(t *testing.T, f func()) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			f()
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() { cancel(); <-done }
}

func TestEventsAreFollowed(t *testing.T) {
	_, bob := pair(t)
	stop := repeat(t, func() { _ = bob.Broadcast("deploy", []byte("v\n1")) })
	defer stop()
	follow(t, `\d\d:\d\d:\d\d\.\d{3} message +deploy from bob: "v\\n1"\n`, "events")
	follow(t, `^\{"id":\d+,.*"type":"message"`, "events", "-json", "-type", "message")
}

func TestMembersAreWatched(t *testing.T) {
	_, bob := pair(t)
	n := 0
	stop := repeat(t, func() { n++; _ = bob.SetMeta([]byte{'0' + byte(n%10)}) })
	defer stop()
	follow(t, `(?s)^NAME .*\nann .*\nbob .*member-update bob `, "members", "-watch")
}

func TestKeyOfKeygenIsAddedFromTheStandardInput(t *testing.T) {
	ann, _ := pair(t)
	code, key, _ := run(t, "keygen")
	if code != exitOK {
		t.Fatal(code)
	}
	var out, errs bytes.Buffer
	s := &session{args: []string{"add"}, in: strings.NewReader(key), out: &out, err: &errs}
	var e error
	if s.agent, e = reach("", ""); e != nil {
		t.Fatal(e)
	}
	if e := keys.run(t.Context(), s); e != nil {
		t.Fatal(e)
	}
	added := ann.Keys()
	if len(added) != 2 || added[1].Primary {
		t.Fatalf("%+v", added)
	}
	if got, want := out.String(), added[1].Fingerprint+"\n"; got != want {
		t.Errorf("add writes %q, want %q", got, want)
	}
	for _, line := range []string{"keys use " + added[1].Fingerprint, "keys remove " + added[0].Fingerprint} {
		if code, _, err := run(t, strings.Fields(line)...); code != exitOK {
			t.Errorf("%s: %s", line, err)
		}
	}
	if left := ann.Keys(); len(left) != 1 || left[0].Fingerprint != added[1].Fingerprint {
		t.Errorf("%+v", left)
	}
}

func TestPayloadIsReadFromTheStandardInput(t *testing.T) {
	pair(t)
	var e error
	s := &session{args: []string{"deploy"}, in: strings.NewReader("hello"), out: io.Discard, err: io.Discard}
	if s.agent, e = reach("", ""); e != nil {
		t.Fatal(e)
	}
	if e := broadcast.run(t.Context(), s); e != nil {
		t.Error(e)
	}
	s.in = io.MultiReader(bytes.NewReader(make([]byte, payloadMax)), strings.NewReader("x"))
	if e := broadcast.run(t.Context(), s); e == nil || !strings.Contains(e.Error(), "more than") {
		t.Errorf("%v", e)
	}
}

func TestTokenComesFromAFileOrTheEnvironment(t *testing.T) {
	_, http := start(t, "-name", "ann", "-token", "secret")
	t.Setenv("GWYH_HTTP", http)
	if code, _, err := run(t, "members"); code != exitFailed || !strings.Contains(err, "the token is missing or wrong") {
		t.Errorf("without a token: %d, %s", code, err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, err := run(t, "members", "-token-file", file); code != exitOK {
		t.Errorf("with a file: %d, %s", code, err)
	}
	t.Setenv("GWYH_TOKEN", "secret")
	if code, _, err := run(t, "members"); code != exitOK {
		t.Errorf("with the environment: %d, %s", code, err)
	}
}

func TestHelpOfEveryCommandIsForATerminal(t *testing.T) {
	for _, c := range Commands {
		for _, flag := range []string{"-h", "--help"} {
			code, out, err := run(t, c.Name, flag)
			if code != exitOK || err != "" || !strings.HasPrefix(out, "gwyh "+c.Name+" ") || !strings.Contains(out, "Usage:\n\n\tgwyh "+c.Name) {
				t.Errorf("%s %s: code %d, %s\n%s", c.Name, flag, code, err, out)
			}
			for line := range strings.Lines(out) {
				if width := len(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "        ")); width > 80 {
					t.Errorf("%s: %d columns: %s", c.Name, width, line)
				}
			}
		}
	}
}

func TestWarningsArePlainTextAndDoNotChangeTheTerminal(t *testing.T) {
	for text, want := range map[string]string{
		`datagrams of "ann" are lost`: `datagrams of "ann" are lost`, `C:\n`: `C:\n`, `\"`: `\"`, "Zürich": "Zürich",
		"\x1b[2J\n\u202e\xff": `\x1b[2J\n\u202e\xff`,
	} {
		if got := escaped(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestWhatOthersChoseDoesNotChangeTheTerminal(t *testing.T) {
	for text, want := range map[string]string{"ann": "ann", "Zürich 1": "Zürich 1", "\x1b[2J": `"\x1b[2J"`, "a\tb": `"a\tb"`, `a"b`: `"a\"b"`, "\u202e": `"\u202e"`} {
		if got := printable(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
