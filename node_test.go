package gwyh

import (
	"net"
	"testing"

	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestNodeHasItsAddressAndName(t *testing.T) {
	for ip, want := range map[string]string{"10.1.2.3": "10.1.2.3:6969", "2001:db8::1": "[2001:db8::1]:6969"} {
		n := &Node{Name: "a", Addr: net.ParseIP(ip), Port: 6969}
		full := n.FullAddress()
		switch {
		case n.Address() != want:
			t.Errorf("the address of the node is %v, want %v", n.Address(), want)
		case n.String() != "a":
			t.Errorf("n.String() is %q, want %q", n.String(), "a")
		case full != (Address{Addr: want, Name: "a"}):
			t.Errorf("the address is %v, want %v", full, (Address{Addr: want, Name: "a"}))
		case full.String() != "a ("+want+")":
			t.Errorf("the address in words is %v, want %v", full.String(), "a ("+want+")")
		}
	}
	if a := (&Address{Addr: "h:1"}).String(); a != "h:1" {
		t.Error(a)
	}
}

func TestChannelEventDelegateSendsCopies(t *testing.T) {
	ch := make(chan NodeEvent, 3)
	d := &ChannelEventDelegate{Ch: ch}
	n := &Node{Name: "a"}
	for event, notify := range map[NodeEventType]func(*Node){
		NodeJoin: d.NotifyJoin, NodeLeave: d.NotifyLeave, NodeUpdate: d.NotifyUpdate,
	} {
		notify(n)
		if e := <-ch; e.Event != event || e.Node == n || e.Node.Name != "a" {
			t.Errorf("%+v, want %d", e, event)
		}
	}
}

// The code converts states and strategies from one package's type to the other's.
func TestConstantsHaveTheSameValuesInTheCore(t *testing.T) {
	for state, want := range map[NodeStateType]wire.State{
		StateAlive: wire.StateAlive, StateSuspect: wire.StateSuspect, StateDead: wire.StateDead, StateLeft: wire.StateLeft,
	} {
		if int(state) != int(want) {
			t.Errorf("state %d is %d in the core", state, want)
		}
	}
	for strategy, want := range map[DistributionStrategy]overlay.Strategy{
		Uniform: overlay.Uniform, HubAndSpoke: overlay.HubAndSpoke, PreferLocal: overlay.PreferLocal, PreferRemote: overlay.PreferRemote, Nearest: overlay.Nearest,
	} {
		if int(strategy) != int(want) {
			t.Errorf("%s is %d in the core", strategy, want)
		}
	}
}
