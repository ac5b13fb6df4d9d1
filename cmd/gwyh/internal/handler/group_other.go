//go:build !unix

package handler

import "os/exec"

// withChildren does nothing: the context of a command ends its shell alone.
func withChildren(*exec.Cmd) {}
