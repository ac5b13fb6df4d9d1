package discover_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/discover"
)

// start starts a node on an in-memory network.
func start(t *testing.T, network *gwyh.MockNetwork, name string) *gwyh.Memberlist {
	t.Helper()
	config := gwyh.DefaultLANConfig()
	config.Name, config.Transport = name, network.NewTransport(name)
	config.SecretKey = []byte("a key that only these tests have")
	config.LogHandler = slog.DiscardHandler
	list, err := gwyh.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// All seeds of ann are replaced while she runs. The file then lists the new ones.
func TestNodeFindsTheOthersAfterAllItsSeedsWereReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &gwyh.MockNetwork{}
		path := filepath.Join(t.TempDir(), "seeds")
		write := func(seed *gwyh.Memberlist) {
			if err := os.WriteFile(path, fmt.Appendln(nil, seed.LocalNode().Address()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ann, old, replacement := start(t, network, "ann"), start(t, network, "old"), start(t, network, "replacement")
		write(old)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- discover.Run(ctx, discover.Config{
				Sources: []discover.Source{&discover.File{Path: path}},
				Join:    ann.JoinContext,
				Members: discover.Addresses(ann.Members),
				Logger:  slog.New(slog.DiscardHandler),
			})
		}()
		time.Sleep(10 * time.Second)
		if n := ann.NumMembers(); n != 2 {
			t.Errorf("ann has %d members, want 2", n)
		}
		if err := old.Shutdown(); err != nil {
			t.Error(err)
		}
		write(replacement)
		time.Sleep(2 * time.Minute)
		if n := replacement.NumMembers(); n != 2 {
			t.Errorf("replacement has %d members, want 2", n)
		}
		cancel()
		<-ended
		for _, list := range []*gwyh.Memberlist{ann, replacement} {
			if err := list.Shutdown(); err != nil {
				t.Error(err)
			}
		}
	})
}
