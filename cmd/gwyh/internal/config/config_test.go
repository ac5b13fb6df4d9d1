package config

import (
	"encoding/base64"
	"errors"
	stdflag "flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh"
)

// write creates a file in a directory of the test.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func none(string) string { return "" }

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

var key = strings.Repeat("0123456789abcdef", 2)

func encoded(raw string) string { return base64.StdEncoding.EncodeToString([]byte(raw)) }

func TestDefaultsAreThoseOfTheHelp(t *testing.T) {
	c, err := Parse([]string{"-insecure"}, none)
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Library()
	if err != nil {
		t.Fatal(err)
	}
	if l.BindAddr != "0.0.0.0" || l.BindPort != gwyh.DefaultPort {
		t.Errorf("bound to %s port %d, want 0.0.0.0 port %d", l.BindAddr, l.BindPort, gwyh.DefaultPort)
	}
	if c.HTTP != "127.0.0.1:6970" {
		t.Errorf("the API is at %s", c.HTTP)
	}
	if c.LogLevel != "info" {
		t.Errorf("the level of the log is %s", c.LogLevel)
	}
	if c.HandlerTimeout != time.Minute {
		t.Errorf("a handler may take %v", c.HandlerTimeout)
	}
}

const tomlFile = `
name = "ann"
bind = "127.0.0.1:7001"
join = ["10.0.0.1:6969", "10.0.0.2:6969"]
zone = "z1"
strategy = "nearest"
max-members = 100
allow = ["10.0.0.0/8"]
handler = ["member-join=./join.sh", "message:deploy=./deploy.sh --fast"]
handler-timeout = "5s"
log-json = true
`

const yamlFile = `
name: ann
bind: 127.0.0.1:7001
join: [10.0.0.1:6969, 10.0.0.2:6969]
zone: z1
strategy: nearest
max-members: 100
allow: 10.0.0.0/8
handler:
  - member-join=./join.sh
  - message:deploy=./deploy.sh --fast
handler-timeout: 5s
log-json: true
`

func TestFilesInTOMLAndYAMLAndFlagsSetTheSame(t *testing.T) {
	flags := []string{"-name", "ann", "-bind", "127.0.0.1:7001", "-join", "10.0.0.1:6969,10.0.0.2:6969", "-zone", "z1", "-strategy", "nearest", "-max-members", "100",
		"-allow", "10.0.0.0/8", "-handler", "member-join=./join.sh", "-handler", "message:deploy=./deploy.sh --fast", "-handler-timeout", "5s", "-log-json"}
	var first string
	for name, args := range map[string][]string{
		"toml": {"-config", write(t, "a.toml", tomlFile)}, "yaml": {"-config", write(t, "a.yaml", yamlFile)}, "flags": flags,
	} {
		c, err := Parse(args, none)
		if err != nil {
			t.Fatal(name, err)
		}
		got := fmt.Sprintf("%+v", *c)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, first)
		}
	}
	if !strings.Contains(first, "Name:ann") || !strings.Contains(first, "MaxNodes:100") {
		t.Error(first)
	}
}

func TestLaterFilesReplaceValuesAndAddToLists(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"10-a.toml": "name = \"a\"\njoin = \"a:1\"\nzone = \"z\"", "20-b.yml": "name: b\njoin: b:1", "notes.txt": "not read"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Parse([]string{"-join", "d:1", "-insecure", "-config", dir, "-config", write(t, "c.toml", `join = ["c:1"]`)}, none)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "b" || c.Zone != "z" || !slices.Equal(c.Join, []string{"a:1", "b:1", "c:1", "d:1"}) {
		t.Errorf("%+v", c)
	}
}

func TestEnvironmentComesAfterFilesAndBeforeFlags(t *testing.T) {
	file := write(t, "a.toml", `token = "of the file"`)
	env := environment(map[string]string{"GWYH_TOKEN": "of the environment", "GWYH_KEY": encoded(key)})
	c, err := Parse([]string{"-config", file}, env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Token != "of the environment" || len(c.Keys) != 1 || string(c.Keys[0]) != key {
		t.Errorf("%+v", c)
	}
	if c, err = Parse([]string{"-config", file, "-token", "of the flag"}, env); err != nil || c.Token != "of the flag" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestKeysAreReadFromFilesInTheirOrder(t *testing.T) {
	file := write(t, "keys", "# the new one first\n"+encoded(key)+"\n\ntext:the old pass phrase\n")
	c, err := Parse([]string{"-key-file", file, "-token-file", write(t, "token", "secret\n")}, none)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Keys) != 2 {
		t.Fatalf("%d keys, want 2", len(c.Keys))
	}
	if string(c.Keys[0]) != key || string(c.Keys[1]) != "the old pass phrase" {
		t.Errorf("keys %q", c.Keys)
	}
	if c.Token != "secret" {
		t.Errorf("token %q", c.Token)
	}
	l, err := c.Library()
	if err != nil || string(l.Keyring.GetPrimaryKey()) != key {
		t.Errorf("%v", err)
	}
}

func TestErrorsNameTheOptionTheValueAndWhatIsWanted(t *testing.T) {
	for want, args := range map[string][]string{
		`-profile: "mars", want one of lan, wan, local`:       {"-profile", "mars"},
		`-strategy: "mars", want one of uniform`:              {"-strategy", "mars"},
		`-max-members: "0", want 1 to 100000`:                 {"-max-members", "0"},
		`-handler-timeout: "5", want a duration such as 30s`:  {"-handler-timeout", "5"},
		`-handler: "member-joins" is no event, want`:          {"-handler", "member-joins=x"},
		`-handler: "member-join", want EVENTS=COMMAND`:        {"-handler", "member-join"},
		`-allow: invalid CIDR "10.0.0.0"`:                     {"-allow", "10.0.0.0"},
		`bind "7001": want host:port`:                         {"-bind", "7001", "-insecure"},
		`bind "a:70000": port "70000", want 0 to 65535`:       {"-bind", "a:70000", "-insecure"},
		`unexpected argument "members"`:                       {"members"},
		`-key: key is not base64`:                             {"-key", "0123456789abcdef!"},
		`key of 5 bytes: key size must be 16, 24 or 32 bytes`: {"-key", encoded("short")},
		`-log-level: "loud", want one of debug`:               {"-log-level", "loud"},
		`-discover: `:                                         {"-discover", "ftp://x"},
		`flag provided but not defined: -nonsense`:            {"-nonsense"},
		"no such file": {"-config", "gone.toml"},
		"want a file whose name ends in .toml, .yaml or .yml": {"-config", write(t, "a.json", "{}")},
		"nonsense: there is no such option":                   {"-config", write(t, "a.toml", "nonsense = 1")},
		"zone: a list, want one value":                        {"-config", write(t, "a.toml", `zone = ["a", "b"]`)},
		"zone: a map[string]interface {}, want a text":        {"-config", write(t, "a.toml", "[zone]\nname = 1")},
		"join: a list within a list":                          {"-config", write(t, "a.yaml", "join: [[a]]")},
		`log-json: "maybe", want true or false`:               {"-config", write(t, "a.yaml", "log-json: maybe")},
		"has more than 1048576 bytes":                         {"-config", write(t, "a.toml", strings.Repeat("#", 1<<20+1))},
		"holds nothing":                                       {"-key-file", write(t, "k", "# none\n")},
	} {
		if _, err := Parse(args, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}

func TestErrorsShowNoSecret(t *testing.T) {
	const secret = "hunter2hunter2hunter2"
	for _, args := range [][]string{{"-key", secret}, {"-key", "text:" + strings.Repeat(secret, 20)}, {"-key-file", write(t, "keys", secret+"!")}} {
		_, err := Parse(args, none)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
	_, err := Parse(nil, environment(map[string]string{"GWYH_KEY": secret}))
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "GWYH_KEY") {
		t.Errorf("%v", err)
	}
}

func TestAddressThatOthersReachNeedsASecret(t *testing.T) {
	for want, args := range map[string][]string{
		"no key is set":     {"-bind", "10.0.0.1:6969"},
		"a token is needed": {"-insecure", "-http", "0.0.0.0:6970"},
	} {
		if _, err := Parse(args, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
	for _, args := range [][]string{{"-bind", "127.0.0.1:6969"}, {"-insecure"}, {"-key", encoded(key)}, {"-insecure", "-http", ":6970", "-token", "x"}, {"-insecure", "-http", ""}} {
		if _, err := Parse(args, none); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestBoundAddressMayLackItsPort(t *testing.T) {
	for bind, want := range map[string]string{"10.0.0.5": "10.0.0.5:6969", "[fd00::5]": "[fd00::5]:6969", "fd00::5": "[fd00::5]:6969", "10.0.0.5:0": "10.0.0.5:0"} {
		c, err := Parse([]string{"-insecure", "-bind", bind}, none)
		if err != nil || c.Bind != want {
			t.Errorf("-bind %s is %+v, %v, want %s", bind, c, err, want)
		}
	}
}

func TestAdvertisedAddressMayLackItsPort(t *testing.T) {
	for advertise, want := range map[string]string{"": " 6969", "192.0.2.1": "192.0.2.1 6969", "192.0.2.1:7000": "192.0.2.1 7000", "2001:db8::1": "2001:db8::1 6969", "[2001:db8::1]:7000": "2001:db8::1 7000"} {
		c := Default()
		c.Advertise = advertise
		l, err := c.Library()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(l.AdvertiseAddr, " ", l.AdvertisePort); got != want {
			t.Errorf("%q: %q, want %q", advertise, got, want)
		}
	}
}

func TestHelpNamesEveryOptionAndFitsTheTerminal(t *testing.T) {
	help := Usage()
	for _, name := range Names() {
		if !strings.Contains(help, "\n  -"+name+" ") && !strings.Contains(help, "\n  -"+name+"\n") {
			t.Errorf("no -%s", name)
		}
	}
	for line := range strings.Lines(help) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if _, err := Parse([]string{"-h"}, none); !errors.Is(err, stdflag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestGuideNamesEveryOption(t *testing.T) {
	guide, err := os.ReadFile("../../../../docs/AGENT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(Names(), "config") {
		if !strings.Contains(string(guide), "`"+name+"`") {
			t.Errorf("docs/AGENT.md does not name `%s`", name)
		}
	}
}
