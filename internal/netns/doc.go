// Package netns gives a test networks of its own: Linux network namespaces, joined by virtual Ethernet cables and
// bridges whose MTUs and addresses the test chooses. Nothing that a test sends there leaves the machine. It needs
// the right to make namespaces (root); without it the test fails. Only tests import it.
package netns
