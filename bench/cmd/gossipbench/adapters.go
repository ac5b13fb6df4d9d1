package main

import (
	_ "github.com/gwyh-go/gwyh/bench/adapter/hashi"
	_ "github.com/gwyh-go/gwyh/bench/adapter/ours"
	_ "github.com/gwyh-go/gwyh/bench/adapter/pubsub"
	_ "github.com/gwyh-go/gwyh/bench/adapter/rawudp"
)
