//go:build race

package gwyh

const raceEnabled = true
