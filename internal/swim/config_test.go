package swim

import (
	"testing"
	"time"
)

func TestZeroFieldsOfAConfigMeanTheLANPreset(t *testing.T) {
	var c Config
	c.Fill()
	if want := (Config{ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond, IndirectChecks: 3, SuspicionMult: 4,
		SuspicionMaxTimeoutMult: 6, AwarenessMaxMultiplier: 8}); c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	own := Config{Heartbeat: 1, ProbeInterval: 2, ProbeTimeout: 3, Subscriptions: 4, IndirectChecks: -1, SuspicionMult: 5, SuspicionMaxTimeoutMult: 6, AwarenessMaxMultiplier: 7}
	filled := own
	if filled.Fill(); filled != own {
		t.Errorf("%+v, want %+v", filled, own)
	}
}
