// Package netns provides isolated networks for tests: Linux network namespaces, connected by virtual Ethernet cables and
// bridges with MTUs and addresses of the test's choice. Packets never leave the machine. A test needs the permission to
// create namespaces (root) and fails without it. Only tests import it. Read space_linux.go, then link_linux.go.
package netns
