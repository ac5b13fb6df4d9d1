//go:build memberlist

package lib

import "github.com/hashicorp/memberlist"

// NoPingResponseError comes with Ping.
type NoPingResponseError = memberlist.NoPingResponseError
