// The peer of bench/push.py: centrifuge serving event streams (SSE), one process.
//
// It takes NAME<tab>JSON lines on the second port, and publishes each to the channel "all" for *,
// else to the channel of that name. Who connects gives the name as the user parameter.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	historySize     = 1000
	historyLifetime = 5 * time.Minute
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where streams are served")
	feedAddress := flag.String("feed", "127.0.0.1:0", "where lines are taken")
	delay := flag.Duration("write-delay", 0, "how long messages are gathered for one write")
	flag.Parse()

	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelError})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(_ context.Context, event centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		user := string(event.Data)
		user = string(bytes.Trim([]byte(user), `"`))
		options := centrifuge.SubscribeOptions{EnableRecovery: true}
		reply := centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: user},
			Subscriptions: map[string]centrifuge.SubscribeOptions{"all": options, user: options},
		}
		if *delay > 0 {
			reply.WriteDelay = *delay
			reply.MaxMessagesInFrame = -1
		}
		return reply, nil
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	feed, err := net.Listen("tcp", *feedAddress)
	if err != nil {
		log.Fatal(err)
	}
	go take(node, feed)
	// The listeners answer no pings: they would be cut off after half a minute.
	pings := centrifuge.PingPongConfig{PongTimeout: -1}
	http.Handle("/connection/sse", centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{PingPongConfig: pings}))
	log.Fatal(http.ListenAndServe(*address, nil))
}

func take(node *centrifuge.Node, feed net.Listener) {
	for {
		connection, err := feed.Accept()
		if err != nil {
			log.Fatal(err)
		}
		lines := bufio.NewScanner(connection)
		lines.Buffer(make([]byte, 1<<20), 1<<20)
		for lines.Scan() {
			name, content, _ := bytes.Cut(lines.Bytes(), []byte("\t"))
			channel := string(name)
			if channel == "*" {
				channel = "all"
			}
			_, err := node.Publish(channel, bytes.Clone(content), centrifuge.WithHistory(historySize, historyLifetime))
			if err != nil {
				log.Fatal(err)
			}
		}
	}
}
