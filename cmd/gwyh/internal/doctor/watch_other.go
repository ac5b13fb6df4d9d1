//go:build !linux

package doctor

import "net/netip"

// A watch sees nothing on this system.
type watch struct{}

func startWatch(netip.AddrPort, uint16) *watch { return &watch{} }

func (*watch) seen() bool { return false }

func (*watch) stop() {}
