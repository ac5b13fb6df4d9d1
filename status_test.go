package gwyh_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/status"
)

// inMemory starts a node in a network in memory.
func inMemory(t *testing.T, network *gwyh.MockNetwork, name string, key string) *gwyh.Memberlist {
	t.Helper()
	config := gwyh.DefaultLANConfig()
	config.Name, config.Zone, config.Transport, config.LogOutput = name, "z-"+name, network.NewTransport(name), new(logBook)
	config.SecretKey = []byte(key)
	list, err := gwyh.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	return list
}

const strongKey = "a very secret key of 32 letters."

func TestStatusShowsTheClusterAndNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		a, b := inMemory(t, network, "a", strongKey), inMemory(t, network, "b", strongKey)
		if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		s := a.Status()
		if len(s.Members) != 2 || s.Members[1].Name != "b" || s.Members[1].Zone != "z-b" || s.Members[1].State != status.Alive {
			t.Errorf("members %+v", s.Members)
		}
		if len(s.Links) != 1 || s.Links[0].Zone != "z-b" || s.Links[0].ID != b.LocalNode().ID.String() {
			t.Errorf("links %+v", s.Links)
		}
		want := status.Key{Fingerprint: gwyh.KeyFingerprint([]byte(strongKey)), Primary: true}
		if len(s.Keys) != 1 || s.Keys[0] != want || want.Fingerprint == "" {
			t.Errorf("keys %+v, want %+v", s.Keys, want)
		}
		if strings.Contains(fmt.Sprintf("%+v", s), strongKey) {
			t.Error("the key is in the Status")
		}
	})
}

func TestKeyThatCanBeGuessedHasNoFingerprint(t *testing.T) {
	for _, key := range []string{"", "insecure", "15 bytes, short", "aaaaaaaaaaaaaaaa"} {
		if got := gwyh.KeyFingerprint([]byte(key)); got != "" {
			t.Errorf("%q has the fingerprint %s", key, got)
		}
	}
	if got := gwyh.KeyFingerprint([]byte(strongKey)); got != "86d516b81452" {
		t.Errorf("fingerprint %s, which differs from that of other versions", got)
	}
	synctest.Test(t, func(t *testing.T) {
		a := inMemory(t, new(gwyh.MockNetwork), "a", "hunter2")
		s := a.Status()
		if len(s.Keys) != 1 || s.Keys[0].Fingerprint != "" || !s.Keys[0].Weak {
			t.Errorf("keys %+v", s.Keys)
		}
		if len(s.Warnings) != 1 || s.Warnings[0].Code != status.WeakKey {
			t.Errorf("warnings %+v", s.Warnings)
		}
	})
}

func TestWatchAndStatusAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := inMemory(t, new(gwyh.MockNetwork), "a", strongKey)
		_ = a.Shutdown()
		if err := a.Watch(t.Context(), nil); !errors.Is(err, gwyh.ErrShutdown) {
			t.Errorf("Watch: %v", err)
		}
		if s := a.Status(); !s.At.IsZero() {
			t.Errorf("Status: %+v", s)
		}
		if all := a.Metrics(); all != nil {
			t.Errorf("Metrics: %+v", all)
		}
	})
}

func TestReadingStatusAndMetricsTakesNoSampleFromTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := metrics.NewInmemSink(time.Hour, 24*time.Hour)
		config := gwyh.DefaultLANConfig()
		config.Name, config.Transport, config.LogOutput = "a", new(gwyh.MockNetwork).NewTransport("a"), new(logBook)
		config.SecretKey, config.Metrics = []byte(strongKey), sink
		list, err := gwyh.Create(config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = list.Shutdown() }()
		for range 1000 { // the queues are due after 30 s
			time.Sleep(60 * time.Millisecond)
			list.Status()
			list.Metrics()
		}
		if got := sink.Data()[0].Samples["gwyh.queue.broadcasts"]; got.AggregateSample == nil || got.Count < 2 {
			t.Errorf("in 60 s %+v was sampled, want two samples", got.AggregateSample)
		}
	})
}

func TestMetricsHaveWholeValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		a, b := inMemory(t, network, "a", strongKey), inMemory(t, network, "b", strongKey)
		if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		stats, found := a.Stats(), map[string]float64{}
		for _, m := range a.Metrics() {
			found[m.Name+m.LabelValue] = m.Value
		}
		for name, want := range map[string]float64{
			"members": 2, "links": 1, "udp.sent": float64(stats.BytesSent), "node.instancesalive": 2,
		} {
			if got := found[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}

func TestEveryCodeOfTheLibraryIsListed(t *testing.T) {
	source, err := os.ReadFile("status/status.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t\w+ +Code = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	for _, code := range found {
		if !slices.Contains(status.Codes, status.Code(code[1])) {
			t.Errorf("status.Codes lacks %s", code[1])
		}
	}
	if len(found) != len(status.Codes) {
		t.Errorf("the library has %d codes, status.Codes %d", len(found), len(status.Codes))
	}
}

func TestCoverageNamesTheMembersThatHaveAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		a, b := inMemory(t, network, "a", strongKey), inMemory(t, network, "b", strongKey)
		if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		id, err := a.BroadcastWithID([]byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c, err := a.Coverage(t.Context(), id)
		if err != nil || len(c.Has) != 2 || len(c.Lacks) > 0 || len(c.Unknown) > 0 {
			t.Errorf("%s: %+v, %v", id, c, err)
		}
		_ = a.Shutdown()
		if _, err := a.Coverage(t.Context(), id); !errors.Is(err, gwyh.ErrShutdown) {
			t.Errorf("after Shutdown: %v", err)
		}
	})
}
