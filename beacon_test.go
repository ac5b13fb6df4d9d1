package gwyh_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh"
)

func TestStatusAndStatsShowThePropagationOfBeacons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		start := func(name, zone string) *gwyh.Memberlist {
			c := gwyh.DefaultLANConfig()
			c.Name, c.Zone, c.Transport, c.BeaconInterval = name, zone, network.NewTransport(name), time.Second
			c.SecretKey, c.LogHandler = []byte("a key that only these tests have"), slog.DiscardHandler
			list, err := gwyh.Create(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = list.Shutdown() })
			return list
		}
		ann, bob, eve := start("ann", "north"), start("bob", "south"), start("eve", "south")
		for _, l := range []*gwyh.Memberlist{bob, eve} {
			if _, err := l.Join([]string{ann.LocalNode().Address()}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Second)
		s, stats := ann.Status(), ann.Stats()
		if len(s.Propagation) != 1 || s.Propagation[0].Zone != "south" || s.Propagation[0].Count < 30 || s.Propagation[0].P95 != stats.Propagation {
			t.Errorf("%+v, %+v", s.Propagation, stats)
		}
		if len(s.Origins) != 2 || s.Origins[0].Zone != "south" || s.Origins[0].Overdue || !s.Origins[0].Measured || s.Origins[0].Interval != time.Second {
			t.Errorf("%+v", s.Origins)
		}
		if stats.BeaconsSent < 20 || stats.BeaconsReceived < 40 || stats.BeaconsUnmeasured > 10 || stats.BroadcastsSent+stats.BroadcastsDelivered != 0 {
			t.Errorf("%+v", stats)
		}
		_ = eve.Shutdown()
		time.Sleep(3200 * time.Millisecond) // it is not yet known to have failed
		if s := ann.Status(); len(s.Origins) != 2 || s.Origins[0].Name != "eve" || !s.Origins[0].Overdue {
			t.Errorf("%+v", s.Origins)
		}
		time.Sleep(time.Minute)
		if s := ann.Status(); len(s.Origins) != 1 || s.Origins[0].Name != "bob" {
			t.Errorf("%+v", s.Origins)
		}
	})
}
