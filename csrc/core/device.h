#pragma once

#include <cstdint>

namespace chainrule {

enum class DeviceType : uint8_t { cpu, cuda };

inline constexpr int kDeviceCount = 2;

struct Device {
  DeviceType type = DeviceType::cpu;
  int8_t index = 0;
  friend bool operator==(Device, Device) = default;
};

inline const char* name_of(DeviceType t) { return t == DeviceType::cpu ? "cpu" : "cuda"; }

}  // namespace chainrule
