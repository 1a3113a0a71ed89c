<?php
// Adds an order to the stream and waits for its result: php redis_producer.php HOST PORT. In Laravel the same calls are
// Redis::connection()->client()->xAdd(...) and ->xRead(...), with the phpredis driver and no key prefix.

const STREAM = '{rialto}:orders';
const REPLIES = STREAM . ':replies';

$redis = new Redis();
$redis->connect($argv[1], (int) $argv[2]);
$redis->setOption(Redis::OPT_READ_TIMEOUT, 15);

// The result may be there before XADD has answered, so it is looked for behind what is there now.
$newest = $redis->xRevRange(REPLIES, '+', '-', 1);
$last = array_key_first($newest ?: []) ?? '0';

$entry = $redis->xAdd(STREAM, '*', [
    'account' => 'alice',
    'symbol' => 'BTCUSDT',
    'side' => 'BUY',
    'type' => 'LIMIT',
    'timeInForce' => 'GTC',
    'quantity' => '0.001',
    'price' => '50000',
    'newClientOrderId' => 'from-php',
]);

while (true) {
    $read = $redis->xRead([REPLIES => $last], -1, 10000);
    if (!$read) {
        fwrite(STDERR, "no result in ten seconds\n");
        exit(1);
    }
    foreach ($read[REPLIES] as $id => $reply) {
        $last = $id;
        if ($reply['entry'] === $entry) {
            echo json_encode($reply), "\n";
            exit(0);
        }
    }
}
