package cli

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/agent"
)

// rotateTo runs "gwyh keys rotate" with a standard input.
func rotateTo(t *testing.T, input string, addresses ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	s := &session{args: append([]string{"rotate"}, addresses...), in: strings.NewReader(input), out: &out, err: &out}
	var err error
	if s.agent, err = reach("", ""); err != nil {
		t.Fatal(err)
	}
	err = keys.run(t.Context(), s)
	return out.String(), err
}

// three starts three agents that know each other, with one key each, and returns the addresses of their APIs.
func three(t *testing.T, key string) (agents []*agent.Agent, apis []string) {
	t.Helper()
	var join []string
	for _, name := range []string{"ann", "bob", "cleo"} {
		a, api := startWith(t, key, append([]string{"-name", name}, join...)...)
		join = []string{"-join", a.Memberlist().LocalNode().Address()}
		agents, apis = append(agents, a), append(apis, api)
	}
	deadline := time.After(30 * time.Second)
	for _, a := range agents {
		for a.Memberlist().NumMembers() < len(agents) {
			select {
			case <-deadline:
				t.Fatal("they do not find each other")
			case <-time.After(time.Millisecond):
			}
		}
	}
	return agents, apis
}

var (
	newKey   = []byte("another key of 32 bytes for them")
	newInput = base64.StdEncoding.EncodeToString(newKey) + "\n"
)

// haveKeys checks the fingerprints of the keys of all agents.
func haveKeys(t *testing.T, agents []*agent.Agent, want ...string) {
	t.Helper()
	for _, a := range agents {
		var got []string
		for _, k := range a.Keys() {
			got = append(got, k.Fingerprint)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s has the keys %q, want %q", a.Memberlist().LocalNode().Name, got, want)
		}
	}
}

func TestRotationMakesTheNewKeyTheOnlyOneOfAllAgents(t *testing.T) {
	agents, apis := three(t, testKey)
	for range 2 { // a repeated rotation does no harm
		out, err := rotateTo(t, newInput, apis...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		haveKeys(t, agents, gwyh.KeyFingerprint(newKey))
		if !strings.HasSuffix(out, gwyh.KeyFingerprint(newKey)+" is the only key now\n") {
			t.Errorf("%q", out)
		}
	}
	for _, a := range agents {
		if n := a.Memberlist().NumMembers(); n != len(agents) {
			t.Errorf("%d members", n)
		}
	}
}

func TestRotationAwayFromAKeyWithoutAFingerprintNeedsTheOldKey(t *testing.T) {
	agents, apis := three(t, "text:short")
	if _, err := rotateTo(t, newInput, apis...); err == nil || !strings.Contains(err.Error(), "no fingerprint") {
		t.Fatalf("%v", err)
	}
	haveKeys(t, agents, "")
	if out, err := rotateTo(t, newInput+"text:short\n", apis...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	haveKeys(t, agents, gwyh.KeyFingerprint(newKey))
}

// Agents without a key and agents with "text:insecure" have the same one, so agents are restarted one after the other.
func TestAgentsWithoutAKeyAreRotatedAfterARestart(t *testing.T) {
	bare, apis := three(t, "")
	const remedy = "restart one agent after the other with -key text:insecure"
	if _, err := rotateTo(t, newInput, apis...); err == nil || !strings.Contains(err.Error(), remedy) {
		t.Fatalf("%v", err)
	}
	haveKeys(t, bare)
	dora, _ := startWith(t, "text:insecure", "-name", "dora")
	if n, err := dora.Memberlist().Join([]string{bare[0].Memberlist().LocalNode().Address()}); n != 1 || err != nil {
		t.Fatalf("an agent with the key text:insecure does not join agents without one: %v", err)
	}

	agents, apis := three(t, "text:insecure")
	if out, err := rotateTo(t, newInput+"text:insecure\n", apis...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	haveKeys(t, agents, gwyh.KeyFingerprint(newKey))
}

func TestRotationThatWouldCutSomebodyOffChangesNothing(t *testing.T) {
	agents, apis := three(t, testKey)
	raw, _ := base64.StdEncoding.DecodeString(testKey)
	for want, c := range map[string]struct {
		input     string
		addresses []string
	}{
		`the member "cleo"`:                 {newInput, apis[:2]},
		"no agent answers":                  {newInput, append([]string{"127.0.0.1:1"}, apis...)},
		"the new key can be guessed":        {"text:short\n", apis},
		"the standard input has no key":     {"\n", apis},
		"key is not base64":                 {"no key\n", apis},
		"usage: gwyh keys [add | use FINGE": {newInput, nil},
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := rotateTo(t, c.input, c.addresses...); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v", err)
			}
			haveKeys(t, agents, gwyh.KeyFingerprint(raw))
		})
	}
}

func TestRotationThatStoppedIsRepeated(t *testing.T) {
	agents, apis := three(t, testKey)
	if err := agents[0].AddKey(newKey); err != nil {
		t.Fatal(err)
	}
	if code, _, err := run(t, "keys", "-http", apis[0], "use", gwyh.KeyFingerprint(newKey)); code != exitOK {
		t.Fatal(err)
	}
	if out, err := rotateTo(t, newInput, apis...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	haveKeys(t, agents, gwyh.KeyFingerprint(newKey))
}
