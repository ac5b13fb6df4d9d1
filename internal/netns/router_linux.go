package netns

import "testing"

// WithRouter returns a machine with the address 10.9.0.1/24 and a forwarding router with 10.9.0.254/24. The machine
// has no route beyond its own network; Via adds one.
func WithRouter(t testing.TB) (machine, router *Space) {
	t.Helper()
	machine, router = New(t), New(t)
	machine.Cable("eth0", router, "eth0")
	machine.Address("eth0", "10.9.0.1/24")
	router.Address("eth0", "10.9.0.254/24")
	machine.Up("eth0")
	router.Up("eth0")
	router.Forward()
	return machine, router
}
