package gwyh_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh"
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
	})
}
