// Package pacing is the congestion control of one link. It has no sockets, clock or locks: the caller
// says when something happens.
package pacing
