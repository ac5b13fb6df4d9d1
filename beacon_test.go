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
		if len(s.Propagation) != 1 || s.Propagation[0].Zone != "south" {
			t.Fatalf("%+v, want the propagation from the zone south alone", s.Propagation)
		}
		if p := s.Propagation[0]; p.Count < 30 || p.P95 != stats.Propagation {
			t.Errorf("%+v, want 30 messages or more, and the 95th percentile %v", p, stats.Propagation)
		}
		if len(s.Origins) != 2 {
			t.Fatalf("%+v, want two origins", s.Origins)
		}
		if o := s.Origins[0]; o.Zone != "south" || o.Interval != time.Second {
			t.Errorf("%+v, want an origin of the zone south with an interval of 1 s", o)
		} else if o.Overdue || !o.Measured {
			t.Errorf("%+v, want it measured and not overdue", o)
		}
		if stats.BeaconsSent < 20 || stats.BeaconsReceived < 40 {
			t.Errorf("%d beacons sent, want 20; %d received, want 40", stats.BeaconsSent, stats.BeaconsReceived)
		}
		if stats.BeaconsUnmeasured > 10 {
			t.Errorf("%d beacons were not measured, want at most 10", stats.BeaconsUnmeasured)
		}
		if n := stats.BroadcastsSent + stats.BroadcastsDelivered; n != 0 {
			t.Errorf("%d beacons count as broadcasts", n)
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
