package udp

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/netns"
)

// routed returns a machine that routes all of 10.0.0.0/8 through router.
func routed(t *testing.T) (machine, router *netns.Space) {
	machine, router = netns.WithRouter(t)
	machine.Via("10.0.0.0/8", "10.9.0.254")
	return machine, router
}

func TestRouterThatCannotDeliverIsHeard(t *testing.T) {
	for name, x := range map[string]struct {
		to   string
		want error
	}{
		"no way to the host":    {"10.1.0.1:7000", syscall.EHOSTUNREACH},
		"no way to the network": {"10.2.0.1:7000", syscall.ENETUNREACH},
		"a firewall says no":    {"10.3.0.1:7000", syscall.EHOSTUNREACH},
		"nobody has it":         {"10.9.0.77:7000", syscall.EHOSTUNREACH},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, router := routed(t)
			router.Unreachable("10.1.0.0/16")
			router.Prohibited("10.3.0.0/16")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var told []error
			_ = host.Do(func() error { // opens the socket on this thread
				Knock(ctx, netip.Addr{}, netip.MustParseAddrPort(x.to), func(err error, since time.Duration) {
					told = append(told, err)
					if since >= time.Second {
						cancel()
					}
				})
				return nil
			})
			if len(told) == 0 {
				t.Fatal("told nothing")
			}
			for _, err := range told {
				if !errors.Is(err, x.want) {
					t.Errorf("told %v, want %v", err, x.want)
				}
			}
		})
	}
}

func TestSilentRouterIsSilence(t *testing.T) {
	host, router := routed(t)
	router.Blackhole("10.1.0.0/16")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_ = host.Do(func() error {
		Knock(ctx, netip.Addr{}, netip.MustParseAddrPort("10.1.0.1:7000"), func(err error, _ time.Duration) { t.Errorf("told %v", err) })
		return nil
	})
}

// A router answers few of many packets (see knockFirst). Its last answer counts while nothing else arrives.
func TestRouterThatFallsSilentHasSaidEnough(t *testing.T) {
	host, router := routed(t)
	router.Unreachable("10.1.0.0/16")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var since time.Duration
	_ = host.Do(func() error {
		Knock(ctx, netip.Addr{}, netip.MustParseAddrPort("10.1.0.1:7000"), func(_ error, held time.Duration) {
			if since = held; since >= time.Second {
				cancel()
			}
			if err := router.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0) }); err != nil {
				t.Error(err)
			}
		})
		return nil
	})
	if since < time.Second {
		t.Errorf("told for %v, want a second", since)
	}
}
