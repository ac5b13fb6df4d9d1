package agent

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
)

// Demo starts all but one of the nodes of a demonstration cluster on loopback, with a random key. It returns the
// configuration of the remaining node, which the caller starts and which serves the API, and the running agents.
func Demo(c *config.Config, log *Log, version string) (*config.Config, []*Agent, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	first := *c
	first.Keys, first.Bind, first.Advertise, first.Profile = [][]byte{key}, "127.0.0.1:0", "", "local"
	first.Name, first.Zone, first.Join, first.PeersFile = "node-1", "zone-1", nil, ""
	quiet := NewLog(io.Discard, "error", false)
	var others []*Agent
	for i := 2; i <= c.Demo; i++ {
		other := first
		other.Name, other.Zone, other.Handlers = fmt.Sprintf("node-%d", i), fmt.Sprintf("zone-%d", (i-1)%3+1), nil
		if len(others) > 0 {
			other.Join = []string{others[0].list.LocalNode().Address()}
		}
		a, err := Start(&other, quiet, version)
		if err != nil {
			return nil, nil, errors.Join(err, CloseAll(others))
		}
		others = append(others, a)
		a.running.Go(func() { a.chat(time.Duration(c.Demo) * time.Second) })
	}
	first.Join = []string{others[0].list.LocalNode().Address()}
	return &first, others, nil
}

// chat broadcasts a message at each interval until the agent ends, so that the demonstration has traffic.
func (a *Agent) chat(interval time.Duration) {
	for n := 1; ; n++ {
		select {
		case <-a.ctx.Done():
			return
		case <-time.After(interval/2 + mathrand.N(interval)):
			if err := a.Broadcast("hello", fmt.Appendf(nil, "message %d of %s", n, a.list.LocalNode().Name)); err != nil {
				a.lines.Warn("no message is sent", "error", err)
			}
		}
	}
}

// CloseAll ends agents without a leave.
func CloseAll(agents []*Agent) error {
	errs := make([]error, len(agents))
	var wg sync.WaitGroup
	for i, a := range agents {
		wg.Go(func() { errs[i] = a.Close(false) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
