//go:build !race

package gwyh

const raceEnabled = false
